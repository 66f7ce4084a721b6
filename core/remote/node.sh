# What the runner does on a node. POSIX sh (dash, bash 3, busybox), sent on stdin to /bin/sh behind a preamble
# of assignments (hv_...), with the call of one hv_do_* function as its last line.
#
# Under hv_scratch:  hpcvirt-USER/                   0700, ours
#                      bench/DIGEST/                 a benchmark's artifacts
#                      spool/HOST.BOOT_ID/ATTEMPT/   one attempt: claim, meta, out, err, done, and the leader.PID,
#                                                    job.PID and inner.PID of whoever launched it; session: the
#                                                    benchmark's, if it has its own; empty: one to come
#                      said.SEAT.NONCE               what the preparation under way says
#
# An attempt is started by whoever makes "claim" first: the job itself, or somebody who came to
# collect it and found that it never started; the other then lets go. So nothing starts late and nothing twice.
# Of an attempt that left no end the claim stays, as its grave, until the campaign leaves the node: a launcher
# that is late by whatever time finds it. "done" is empty: that it is there says that "meta" is whole.
#
# A launch may also go to a shell that stays: it has read all this, and gets the assignments and the call alone. It
# does what a job's own shell does, and gives the benchmark a session of its own.
#
# What is done for every run starts as few programs as it can: each costs the node a millisecond. A subshell costs a
# third of that, and a builtin that reads a file half a microsecond for each byte.
#
# A process is an attempt's when it has HPCVIRT_RUN=ATTEMPT in its environment, or is in the session of the job:
# what a wrap starts with a clean environment, or as another user, has no mark that we could read.

umask 077
LC_ALL=C
export LC_ALL

# A dead connection must not kill the shell before it has let go of what it started; a handler (unlike '')
# is not inherited by the benchmark.
trap ':' HUP INT PIPE

hv_say() { printf '\n@%s %s\n' "$hv_nonce" "$1"; }
hv_fail() {
    hv_say "unusable $1"
    exit 0
}

hv_open() { # finds or makes our folder
    hv_root=$hv_scratch/hpcvirt-${LOGNAME:-${USER:-$(id -un)}}
    [ -d "$hv_root" ] || mkdir -p -m 700 "$hv_root" 2>/dev/null
    [ -d "$hv_root" ] && [ -O "$hv_root" ] && [ ! -L "$hv_root" ] ||
        hv_fail "$hv_root cannot be made, or is not ours"
    IFS= read -r hv_boot </proc/sys/kernel/random/boot_id
    IFS= read -r hv_host </proc/sys/kernel/hostname
    case $hv_host in */* | '') hv_host=node ;; esac
    hv_here=$hv_root/spool/$hv_host.$hv_boot
}

hv_shut() { # what somebody else could have put there is found by its digest
    chmod 700 "$hv_root" || hv_fail "$hv_root cannot be shut to others"
}

hv_claim() { # SPOOL: whoever makes the file has the attempt; noclobber asks the kernel to refuse the second
    (
        set -C
        # A job's is empty.
        echo never >"$1/claim"
    ) 2>/dev/null
}

hv_is_never() { # SPOOL: it was claimed, so that it never starts
    [ -f "$1/claim" ] && [ -s "$1/claim" ]
}

hv_forget_spools() { # of attempts whose end is on the runner's disk: one program for all
    set --
    for hv_old in $hv_forget; do
        for hv_dir in "$hv_root"/spool/*/"$hv_old"; do
            if [ -f "$hv_dir/done" ]; then
                set -- "$@" "$hv_dir"
            elif [ -d "$hv_dir" ]; then
                hv_claim "$hv_dir"
                set -- "$@" "$hv_dir"/[!c]*
            fi
        done
    done
    [ $# -eq 0 ] || rm -rf "$@"
}

hv_is_grave() { # SPOOL
    set -- "$1" "$1"/*
    [ $# -eq 2 ] && [ "$2" = "$1/claim" ]
}

hv_remove_graves() { # of this node, which may share its scratch folder with others
    for hv_dir in "$hv_root/spool/$hv_host".*/*; do
        ! hv_is_grave "$hv_dir" || rm -rf "$hv_dir"
    done
    # Those of attempts that never came: only what is empty goes.
    rmdir "$hv_root/spool/$hv_host".*/* 2>/dev/null
}

hv_stat() { # PID: hv_parent, hv_sid and hv_since, when it started; fails if it is no more
    hv_line=
    { IFS= read -r hv_line <"/proc/$1/stat"; } 2>/dev/null
    set -- ${hv_line##*) }
    case ${1:-Z} in Z | X) return 1 ;; esac
    hv_parent=$2
    hv_sid=$4
    shift 19
    hv_since=$1
}

hv_leader() { # SPOOL: of its job, as that wrote them: hv_pid, hv_session, hv_begun (when it started, as hv_since) and
    # hv_from: what is older and in its session is not of the job. Fails if they tell nothing
    case $1 in *."$hv_boot"/*) ;; *) return 1 ;; esac
    for hv_file in "$1"/leader.*; do
        # Whoever came second has emptied his.
        hv_from=
        { read -r hv_pid hv_session hv_begun hv_from <"$hv_file"; } 2>/dev/null && [ -n "$hv_from" ] && return
    done
    return 1
}

hv_led() { # SPOOL: as hv_leader, but of the session that the benchmark has to itself, if it has
    case $1 in *."$hv_boot"/*) ;; *) return 1 ;; esac
    hv_from=
    { read -r hv_pid hv_session hv_begun hv_from <"$1/session"; } 2>/dev/null && [ -n "$hv_from" ] || hv_leader "$1"
}

hv_is_led() { # SPOOL: its job is still there, and is not this shell, which has come to its end
    hv_leader "$1" && [ "$hv_pid" != $$ ] && hv_stat "$hv_pid" && [ "$hv_since" = "$hv_begun" ]
}

hv_add_session() { # SPOOL: to hv_pids, what runs in the session of its job
    # Where sshd gives no session, and there is no setsid, the job has that of others.
    hv_led "$1" && [ "$hv_session" = "$hv_pid" ] || return 0
    # A session keeps its number from being given again as long as anything is in it.
    if hv_stat "$hv_pid"; then
        [ "$hv_since" = "$hv_begun" ] || return 0
        # It may be on its way into the session that it will lead.
        [ "$hv_sid" = "$hv_session" ] || hv_pids="$hv_pids $hv_pid"
    fi
    # Of a job that is done the launcher may still be sending what it left.
    hv_sender=
    [ ! -f "$1/done" ] || hv_sender=$hv_pid
    hv_found=
    command -v grep >/dev/null 2>&1 && hv_found=$(grep -ls " $hv_session " /proc/[0-9]*/stat 2>/dev/null)
    for hv_file in ${hv_found:-/proc/[0-9]*/stat}; do
        hv_file=${hv_file%/stat}
        hv_file=${hv_file#/proc/}
        case " $hv_pids " in *" $hv_file "*) continue ;; esac
        [ "$hv_file" != $$ ] && [ "$hv_file" != "$hv_sender" ] && hv_stat "$hv_file" || continue
        [ "$hv_sid" = "$hv_session" ] && [ "$hv_parent" != "$hv_sender" ] || continue
        # What the login left there was there before.
        [ "$hv_file" = "$hv_pid" ] || [ "$hv_since" -ge "$hv_from" ] || continue
        hv_pids="$hv_pids $hv_file"
    done
}

hv_end_leader() { # SPOOL: it shall not live to file the end of a benchmark that we ended
    ! hv_is_led "$1" || kill -KILL "$hv_pid" 2>/dev/null
}

hv_of_attempt() { # hv_pids: the processes of the attempt
    hv_marked "HPCVIRT_RUN=$hv_attempt"
    hv_add_session "$hv_spool"
}

hv_may_be_left() { # SPOOL: its job's process group is not empty. Looking through all sessions takes far longer
    hv_led "$1" && [ "$hv_session" = "$hv_pid" ] || return 1
    # What kill says goes through a file: this is done before every run, and a subshell costs more.
    kill -0 "-$hv_session" 2>"$1/said" && return
    hv_line=
    IFS= read -r hv_line <"$1/said"
    case $hv_line in *ermitted*) ;; *) return 1 ;; esac
}

hv_of_seat() { # hv_pids: the processes of this campaign
    hv_marked "HPCVIRT_SEAT=$hv_seat"
    for hv_old in $hv_past; do
        for hv_dir in "$hv_root"/spool/*."$hv_boot"/"$hv_old"; do
            ! hv_may_be_left "$hv_dir" || hv_add_session "$hv_dir"
        done
    done
}

hv_strays() { # hv_pids: what earlier runs left
    hv_of_seat
    # Claimed while we looked: we are late, and what runs may be a later attempt.
    [ ! -e "$hv_spool/claim" ] || hv_pids=
}

hv_end_all() { # FUNCTION that finds hv_pids: TERM, then KILL; hv_pids is what is left
    for hv_signal in TERM KILL; do
        hv_count=0
        "$1"
        while [ -n "$hv_pids" ] && [ "$hv_count" -lt 15 ]; do
            kill "-$hv_signal" $hv_pids 2>/dev/null
            hv_nap 0.2
            hv_count=$((hv_count + 1))
            "$1"
        done
    done
}

hv_prove_clean() { # nothing of this campaign runs here: every attempt before this one has an end
    hv_strays
    set -- $hv_pids
    hv_cleaned=$#
    [ "$hv_cleaned" -eq 0 ] || hv_end_all hv_strays
    [ -z "$hv_pids" ] || hv_fail "processes$hv_pids of an earlier run cannot be ended"
}

hv_of_preparations() { # hv_pids: what those of this campaign have left running, on purpose or not
    hv_marked "HPCVIRT_PREPARED_FOR=$hv_seat"
}

hv_of_these() { # hv_pids: what the preparations hv_marks have left running
    hv_all=
    for hv_mark in $hv_marks; do
        hv_marked "HPCVIRT_PREPARING=$hv_mark"
        hv_all=$hv_all$hv_pids
    done
    hv_pids=$hv_all
}

hv_end_preparations() { # FUNCTION that finds hv_pids
    hv_end_all "$1"
    [ -z "$hv_pids" ] || hv_fail "processes$hv_pids of an earlier preparation cannot be ended"
}

hv_nap() { sleep "$1" 2>/dev/null || sleep 1; }

hv_send() { # FILE SIZE: at most hv_limit bytes of it, head and tail
    if [ "$2" -le "$hv_limit" ]; then
        [ "$2" -eq 0 ] || head -c "$2" "$1"
    else
        head -c $((hv_limit / 2)) "$1"
        tail -c $((hv_limit / 2)) "$1"
    fi
}

hv_report() { # STATE: everything the attempt left, from within its spool
    case $1 in finished | killed)
        # On a full disk a whole run looks as if the benchmark had failed, or had never come to its end.
        printf '%4096s' '' 2>/dev/null >room || set -- full
        ;;
    esac
    # "-": nobody wrote to out or err, and what follows is meta alone.
    hv_fetched=
    [ ! -s files ] || hv_fetched=$(($(wc -c <files)))
    if [ -s out ] || [ -s err ] || [ -n "$hv_fetched" ]; then
        for hv_file in meta out err; do
            [ -f "$hv_file" ] || : >"$hv_file"
        done
        set -- "$1" $(wc -c meta out err)
    else
        set -- "$1" - '' 0 '' 0
    fi
    hv_head="attempt $1 $2 $4 $6 $hv_cleaned${hv_fetched:+ $hv_fetched}"
    if [ "$2" = - ]; then # at one go, and by no program
        hv_told=$hv_meta
        [ -n "$hv_told" ] || [ ! -s meta ] || hv_take meta
        printf '\n@%s %s\n%s\n@%s end\n' "$hv_nonce" "$hv_head" "$hv_told" "$hv_nonce"
        return
    fi
    hv_say "$hv_head"
    hv_send meta "$2"
    hv_send out "$4"
    hv_send err "$6"
    [ -z "$hv_fetched" ] || hv_send files "$hv_fetched"
    hv_say end
}

hv_find() { # hv_spool: the attempt's, wherever it was started
    hv_spool=$hv_here/$hv_attempt
    for hv_dir in "$hv_root"/spool/*/"$hv_attempt"; do
        [ ! -e "$hv_dir/claim" ] || hv_spool=$hv_dir
    done
}

hv_enter() {
    [ -d "$hv_spool" ] || hv_make_spools
    cd "$hv_spool" || hv_fail "$hv_spool cannot be entered"
}

hv_make_spools() { # those of attempts to come as well: one program for many
    set --
    for hv_next in $hv_ahead; do
        set -- "$@" "$hv_here/$hv_next"
    done
    mkdir -p "$hv_spool" "$@"
}

hv_start() { # and wait for it
    hv_held=${hv_base:+$hv_lock/job}
    hv_setsid=
    ! command -v setsid >/dev/null 2>&1 || hv_setsid=setsid
    # Then it does not stay: it would lead the sessions of all its jobs.
    [ -n "$hv_setsid" ] || hv_stays= hv_own=
    if [ -n "$hv_stays" ] && [ -z "$hv_apart" ]; then
        hv_start_here
        return
    fi
    # Names of our own: another launcher may be writing at this moment.
    printf '%s' "$hv_job" >"job.$$" && printf '%s' "$hv_functions$hv_inner" >"inner.$$" ||
        hv_fail "$hv_spool cannot be written: is it full?"
    if [ -z "$hv_stays" ] && hv_stat $$ && [ "$hv_sid" = $$ ] && read -r hv_now hv_line </proc/uptime; then
        # sshd has given this shell a session of its own, which outlives the connection as one of setsid's does.
        export HPCVIRT_RUN=$hv_attempt HPCVIRT_SEAT=$hv_seat
        # Hundredths of a second, as /proc tells when a process started.
        hv_leads="$$ $hv_sid $hv_since ${hv_now%.*}${hv_now#*.}"
        set -- "inner.$$" "$hv_held"
        . "./job.$$" </dev/null >/dev/null 2>&1
        return
    fi
    if [ -n "$hv_setsid" ]; then
        HPCVIRT_RUN=$hv_attempt HPCVIRT_SEAT=$hv_seat hv_leads= setsid /bin/sh "./job.$$" "inner.$$" "$hv_held" </dev/null >/dev/null 2>&1
        return
    fi
    (
        trap '' HUP
        export HPCVIRT_RUN=$hv_attempt HPCVIRT_SEAT=$hv_seat hv_leads=
        exec /bin/sh "./job.$$" "inner.$$" "$hv_held"
    ) </dev/null >/dev/null 2>&1
}

hv_start_here() { # by this shell, which stays; the benchmark alone has a session of its own
    [ -n "${hv_me:-}" ] || {
        hv_stat $$
        hv_me="$$ 0 $hv_since 0"
    }
    hv_leads=$hv_me
    echo "$hv_leads" >"leader.$$" || hv_fail "$hv_spool cannot be written: is it full?"
    export HPCVIRT_RUN=$hv_attempt HPCVIRT_SEAT=$hv_seat
    hv_path=$PATH
    set -- '' "$hv_held"
    eval "$hv_job" </dev/null >/dev/null 2>&1
    PATH=$hv_path
    trap ':' INT
}

hv_lead() { # this process, which will have a session of its own: what hv_led reads
    IFS= read -r hv_line </proc/self/stat
    hv_pid=${hv_line%% *}
    set -- ${hv_line##*) }
    shift 19
    echo "$hv_pid $hv_pid $1 $1" >"$hv_spool/session"
    # Who ends the attempt ends the launcher first and reads this then: one of us sees what the other did.
    hv_is_child || exit 137
}

hv_is_child() { # of the launcher, which lives: this process, hv_pid
    hv_line=
    { IFS= read -r hv_line <"/proc/$$/task/$$/children"; } 2>/dev/null
    # Not every kernel has that list, and it may lack one while another goes.
    case " $hv_line " in *" $hv_pid "*) return 0 ;; esac
    IFS= read -r hv_line </proc/self/stat
    set -- ${hv_line##*) }
    [ "$2" = $$ ]
}

hv_is_running() { # from within the spool
    hv_is_led "$hv_spool" && return
    # What led it may have been killed alone.
    hv_of_attempt
    [ -n "$hv_pids" ]
}

hv_list_under_way() { # a line for each attempt that runs here in the name of this campaign, or from its spools; some twice
    for hv_dir in "$hv_root/spool"/*."$hv_boot"/*; do
        [ -f "$hv_dir/claim" ] && [ ! -s "$hv_dir/claim" ] && [ ! -f "$hv_dir/done" ] || continue
        hv_spool=$hv_dir
        hv_attempt=${hv_dir##*/}
        ! hv_is_running || echo "$hv_attempt"
    done
    # What another node's launcher has started here has no spool.
    hv_marked "HPCVIRT_SEAT=$hv_seat"
    for hv_pid in $hv_pids; do
        { tr '\0' '\n' <"/proc/$hv_pid/environ"; } 2>/dev/null | while IFS= read -r hv_line; do
            case $hv_line in HPCVIRT_RUN=*) echo "${hv_line#*=}" ;; esac
        done
    done
}

hv_keep_lease() { # which a script that acts in the campaign's name has
    [ -z "$hv_seat" ] || hv_hold 0
}

hv_await() { # the attempt's end; hv_state says which
    hv_state=never
    ! hv_is_never "$hv_spool" || return 0
    hv_count=0
    while [ ! -f done ]; do
        case $hv_spool in
            *."$hv_boot"/*) ;;
            *)
                hv_state=rebooted
                return
                ;;
        esac
        if ! hv_is_running && [ ! -f done ]; then
            hv_state=killed
            return
        fi
        hv_nap 0.5
        hv_count=$((hv_count + 1))
        # Whoever waited here may be gone: a blank line finds out.
        [ $((hv_count % 20)) -ne 0 ] || echo || exit 0
    done
    hv_state=finished
}

hv_do_launch() {
    hv_open
    hv_find
    ! hv_is_grave "$hv_spool" || hv_fail "this attempt was given up before it was started"
    if [ -e "$hv_spool/claim" ]; then # it was started before, or never shall be
        hv_enter
        hv_await
    else
        hv_hold "$hv_longest"
        hv_prove_clean
        hv_forget_spools
        hv_enter
        hv_start
        hv_await
        hv_lock_job 0
    fi
    hv_report "$hv_state"
}

hv_do_collect() {
    hv_open
    hv_keep_lease
    hv_find
    hv_enter
    if hv_claim . || hv_is_never .; then
        hv_state=never
    else
        hv_await
    fi
    hv_report "$hv_state"
}

hv_do_end() {
    hv_open
    hv_keep_lease
    hv_find
    hv_enter
    hv_claim .
    hv_end_leader "$hv_spool"
    hv_end_all hv_of_attempt
    hv_state=ended
    case $hv_spool in *."$hv_boot"/*) ;; *) hv_state=rebooted ;; esac
    ! hv_is_never . || hv_state=never
    [ ! -f done ] || hv_state=finished
    [ -z "$hv_pids" ] || hv_state=stuck
    hv_report "$hv_state"
}

hv_look() { # identity under the wrap; and what the wrap says about itself
    hv_words=$hv_root/words.$$
    true 2>/dev/null >"$hv_words" || hv_words=/dev/null
    hv_say identity
    eval "$hv_wrapped"
    hv_say "wrap $?"
    [ "$hv_words" = /dev/null ] || {
        tail -c 1000 "$hv_words"
        rm -f "$hv_words"
    }
}

hv_do_look() { # and the digests of what is in the benchmarks' folders
    hv_open
    hv_shut
    [ -z "$hv_seat" ] || {
        hv_hold 0
        [ -z "$hv_base" ] || rm -f "$hv_lock/leaving"
    }
    hv_forget_spools
    hv_look
    hv_say artifacts
    cd "$hv_root" && for hv_file in $hv_artifacts; do
        if [ ! -f "$hv_file" ]; then
            echo "missing $hv_file"
        elif command -v sha256sum >/dev/null 2>&1; then
            sha256sum "$hv_file"
        else
            echo "unhashed $hv_file"
        fi
    done
    hv_say "lock ${hv_base:-}"
    hv_say spools
    for hv_dir in "$hv_root"/spool/*/*; do
        [ ! -e "$hv_dir/claim" ] || hv_is_grave "$hv_dir" || echo "${hv_dir##*/}"
    done
    hv_say end
}

hv_do_ready() { # for a run that another node leads: ours alone, free of what earlier runs left; and what it is
    hv_open
    hv_shut
    hv_hold "$hv_longest"
    hv_spool=$hv_here/-
    hv_prove_clean
    hv_look
    hv_say "cleaned $hv_cleaned"
    hv_say end
}

hv_do_clear() { # of what a run that another node led has left here; and what the node is
    hv_open
    hv_keep_lease
    hv_find
    hv_count=0
    hv_of_attempt
    # The launcher's daemon may be just going.
    while [ -n "$hv_pids" ] && [ "$hv_count" -lt 10 ]; do
        hv_nap 0.2
        hv_count=$((hv_count + 1))
        hv_of_attempt
    done
    set -- $hv_pids
    hv_cleaned=$#
    [ "$hv_cleaned" -eq 0 ] || hv_end_all hv_of_attempt
    hv_look
    hv_say "cleaned $hv_cleaned$hv_pids"
    hv_say end
}

hv_do_within() { # what hv_wrapped does, in the folder of the program
    hv_open
    cd "$hv_root" || hv_fail "$hv_root cannot be entered"
    hv_say said
    eval "$hv_wrapped"
    hv_say "status $?"
    hv_say end
}

hv_do_prepare() { # the same, for hv_longest seconds at most; what was left by whoever began it before is ended first
    hv_open
    if [ -n "$hv_life" ] && [ "$hv_life" != "$hv_boot" ]; then # what was looked at is no more
        hv_say rebooted
        hv_say end
        return
    fi
    hv_lock_base
    hv_refuse_without_lock
    hv_hold "$hv_longest"
    hv_end_preparations hv_of_these
    # That took its time, in which the campaign may have left.
    hv_refuse_without_lock
    hv_said=$hv_root/said.$hv_seat.$hv_nonce
    cd "$hv_root" && true >"$hv_said" || hv_fail "$hv_said cannot be written"
    hv_lock_job $$
    # What it leaves running may be what the runs need, and has its output open: into the channel that would never end.
    eval "$hv_wrapped" >"$hv_said" 2>&1
    hv_status=$?
    hv_lock_job 0
    hv_say said
    tail -c 1000 "$hv_said"
    rm -f "$hv_said"
    hv_say "status $hv_status"
    hv_say end
}

hv_refuse_without_lock() { # which a campaign has from its first look on, until it leaves
    [ -z "$hv_base" ] || { [ -d "$hv_lock" ] && [ ! -e "$hv_lock/leaving" ]; } ||
        hv_fail "it was given free before this preparation began"
}

hv_do_end_preparations() { # of this campaign, all of them
    hv_open
    hv_keep_lease
    hv_end_preparations hv_of_preparations
    hv_say end
}

hv_do_place() { # makes a draft, put beside it by another channel, the artifact
    hv_open
    cd "$hv_root" && chmod 700 "$hv_file.draft" && mv -f "$hv_file.draft" "$hv_file" || hv_fail "$hv_file cannot be placed"
    hv_say end
}

hv_do_fetch() { # a file, for a node that cannot hash it itself
    hv_open
    case $hv_file in /*) ;; *) hv_file=$hv_root/$hv_file ;; esac
    [ -f "$hv_file" ] && [ -r "$hv_file" ] || hv_fail "$hv_file is not there, or not readable"
    hv_say content
    # Half a file has no end.
    cat "$hv_file" && hv_say end
}

hv_do_folder() {
    hv_open
    hv_shut
    mkdir -p "$hv_root/$hv_folder" || hv_fail "$hv_root/$hv_folder cannot be made"
    hv_say "root $hv_root"
    hv_say end
}

hv_leave() { # no launcher of this campaign is on its way any more
    hv_lock_base
    # Who was refused the node, or came too late, leaves what may be another campaign's.
    [ -n "$hv_base" ] && [ ! -d "$hv_lock" ] || hv_remove_graves
    # Also locks of earlier boots that were never given back; in this one another runner's stays.
    [ -z "$hv_base" ] || for hv_old in "$hv_base"/hpcvirt-lock.*."$hv_seat".*; do
        case $hv_old in "$hv_lock") ;; "$hv_base/hpcvirt-lock.$hv_boot".*) continue ;; esac
        rm -rf "$hv_old"
    done
}

hv_do_forget() {
    hv_open
    # Whoever has lost the node to another runner, or never had it, ends and removes nothing there.
    [ -z "$hv_seat" ] || hv_try_hold 0 || {
        hv_leave
        hv_seat= hv_forget=
    }
    # Before the spools, which tell what is of this campaign.
    [ -z "$hv_seat" ] || {
        hv_lock_base
        [ -z "$hv_base" ] || [ ! -d "$hv_lock" ] || true >"$hv_lock/leaving"
        hv_end_all hv_of_seat
        hv_left=$hv_pids
        hv_end_all hv_of_preparations
    }
    hv_forget_spools
    [ -z "$hv_seat" ] || {
        hv_leave
        # Who was about to begin has either seen by now that the campaign leaves, or is seen.
        hv_end_all hv_of_preparations
        rm -f "$hv_root/said.$hv_seat".*
        [ -z "$hv_left$hv_pids" ] || hv_say "left$hv_left$hv_pids"
    }
    [ -z "$hv_folder" ] || rm -rf "$hv_root/$hv_folder"
    rmdir "$hv_root"/spool/* "$hv_root/spool" "$hv_root/bench" "$hv_root" 2>/dev/null
    hv_say end
}
