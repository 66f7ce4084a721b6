# What the runner does on a node. POSIX sh (dash, bash 3, busybox), sent on stdin to /bin/sh behind a preamble
# of assignments (hv_...), with the call of one hv_do_* function as its last line.
#
# Under hv_scratch:  hpcvirt-USER/                   0700, ours
#                      bench/DIGEST/                 a benchmark's artifacts
#                      spool/HOST.BOOT_ID/ATTEMPT/   one attempt: job, inner, claim, meta, out, err, done
#
# An attempt is started by whoever makes the file "claim" first: the job itself, or somebody who came to
# collect it and found that it never started; the other then lets go. So nothing starts late and nothing twice.
# "done" is empty: that it is there says that "meta" is whole.

umask 077
LC_ALL=C
export LC_ALL

# A dead connection must not kill the shell before it has let go of what it started; a handler (unlike '')
# is not inherited by the benchmark.
trap ':' HUP PIPE

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

hv_forget_spools() { # of attempts whose end is on the runner's disk
    for hv_old in $hv_forget; do
        rm -rf "$hv_root"/spool/*/"$hv_old"
    done
}

hv_marked() { # MARK: hv_pids, the processes that carry it in their environment
    hv_pids=
    hv_found=option
    # Without -z busybox looks no further than an environment's first word.
    command -v grep >/dev/null 2>&1 && hv_found=$(grep -lszxF "$1" /proc/[0-9]*/environ 2>&1)
    case $hv_found in
        *option*)
            hv_found=
            for hv_file in /proc/[0-9]*/environ; do
                case $({ tr '\0' ' ' <"$hv_file"; } 2>/dev/null) in *"$1 "*) hv_found="$hv_found $hv_file" ;; esac
            done
            ;;
    esac
    for hv_file in $hv_found; do
        hv_file=${hv_file#/proc/}
        hv_pids="$hv_pids ${hv_file%/environ}"
    done
}

hv_end_marked() { # MARK: TERM, then KILL; hv_pids is what is left
    for hv_signal in TERM KILL; do
        hv_count=0
        hv_marked "$1"
        while [ -n "$hv_pids" ] && [ "$hv_count" -lt 15 ]; do
            kill "-$hv_signal" $hv_pids 2>/dev/null
            hv_nap 0.2
            hv_count=$((hv_count + 1))
            hv_marked "$1"
        done
    done
}

hv_prove_clean() { # nothing of this campaign runs here: every attempt before this one has an end
    hv_marked "HPCVIRT_SEAT=$hv_seat"
    set -- $hv_pids
    hv_cleaned=$#
    [ "$hv_cleaned" -eq 0 ] || hv_end_marked "HPCVIRT_SEAT=$hv_seat"
    [ -z "$hv_pids" ] || hv_fail "processes$hv_pids of an earlier run cannot be ended"
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
        printf '%65536s' '' 2>/dev/null >room || set -- full
        : >room
        ;;
    esac
    [ -f out ] || : >out
    [ -f err ] || : >err
    [ -f meta ] || : >meta
    set -- "$1" $(wc -c meta out err)
    hv_say "attempt $1 $2 $4 $6 ${hv_cleaned:-0}"
    hv_send meta "$2"
    hv_send out "$4"
    hv_send err "$6"
    hv_say end
}

hv_do_launch() {
    hv_open
    hv_hold "$hv_longest"
    hv_forget_spools
    hv_spool=$hv_here/$hv_attempt
    mkdir -p "$hv_spool" && cd "$hv_spool" || hv_fail "$hv_spool cannot be made"
    # A launch that was long on its way may find its attempt claimed, and a later one under way.
    [ -e claim ] || hv_prove_clean
    printf '%s' "$hv_job" >job && printf '%s' "$hv_inner" >inner || hv_fail "$hv_spool cannot be written: is it full?"
    if command -v setsid >/dev/null 2>&1; then
        HPCVIRT_RUN=$hv_attempt HPCVIRT_SEAT=$hv_seat setsid /bin/sh ./job </dev/null >/dev/null 2>&1 &
    else
        (
            trap '' HUP
            export HPCVIRT_RUN=$hv_attempt HPCVIRT_SEAT=$hv_seat
            exec /bin/sh ./job
        ) </dev/null >/dev/null 2>&1 &
    fi
    hv_job_pid=$!
    hv_lock_job "$hv_job_pid"
    while :; do # a signal that is trapped ends wait
        wait "$hv_job_pid"
        kill -0 "$hv_job_pid" 2>/dev/null || break
    done
    hv_lock_job 0
    if [ -f done ]; then hv_report finished; else hv_report killed; fi
}

hv_find() { # enters the attempt's spool, wherever it was started; makes one if there is none
    hv_spool=
    for hv_dir in "$hv_root"/spool/*/"$hv_attempt"; do
        [ -d "$hv_dir" ] && hv_spool=$hv_dir
    done
    [ -n "$hv_spool" ] || hv_spool=$hv_here/$hv_attempt
    mkdir -p "$hv_spool" && cd "$hv_spool" || hv_fail "$hv_spool cannot be entered"
}

hv_claim() { # a shell's own way of making a file that must be new
    (set -C && : >claim) 2>/dev/null
}

hv_do_collect() {
    hv_open
    hv_find
    if hv_claim; then
        hv_report never
        return
    fi
    hv_count=0
    while [ ! -f done ]; do
        if [ "${hv_spool%/*}" != "$hv_here" ]; then
            hv_report rebooted
            return
        fi
        hv_marked "HPCVIRT_RUN=$hv_attempt"
        if [ -z "$hv_pids" ] && [ ! -f done ]; then
            hv_report killed
            return
        fi
        hv_nap 0.5
        hv_count=$((hv_count + 1))
        # Whoever waited here may be gone: a blank line finds out.
        [ $((hv_count % 20)) -ne 0 ] || echo || exit 0
    done
    hv_report finished
}

hv_do_end() {
    hv_open
    hv_find
    hv_claim
    hv_end_marked "HPCVIRT_RUN=$hv_attempt"
    if [ -n "$hv_pids" ]; then
        hv_report stuck
    elif [ -f done ]; then
        hv_report finished
    else
        hv_report ended
    fi
}

hv_do_look() { # identity under the wrap, and the digests of what is in the benchmarks' folders
    hv_open
    [ -z "$hv_seat" ] || hv_hold 0
    hv_forget_spools
    hv_say identity
    eval "$hv_wrapped"
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
        [ -d "$hv_dir" ] && echo "${hv_dir##*/}"
    done
    hv_say end
}

hv_do_place() { # makes a draft, put beside it by another channel, the artifact
    hv_open
    cd "$hv_root" && chmod 700 "$hv_file.draft" && mv -f "$hv_file.draft" "$hv_file" || hv_fail "$hv_file cannot be placed"
    hv_say end
}

hv_do_fetch() { # a file, for a node that cannot hash it itself
    hv_open
    hv_say content
    cat "$hv_root/$hv_file"
    hv_say end
}

hv_do_folder() {
    hv_open
    mkdir -p "$hv_root/$hv_folder" || hv_fail "$hv_root/$hv_folder cannot be made"
    hv_say "root $hv_root"
    hv_say end
}

hv_leave() { # nothing of this campaign stays but what cannot be ended
    hv_end_marked "HPCVIRT_SEAT=$hv_seat"
    hv_lock_base
    # Also locks of earlier boots that were never given back.
    [ -z "$hv_base" ] || rm -rf "$hv_base"/hpcvirt-lock.*."$hv_seat"
}

hv_do_forget() {
    hv_open
    hv_forget_spools
    [ -z "$hv_seat" ] || hv_leave
    [ -z "$hv_folder" ] || rm -rf "$hv_root/$hv_folder"
    rmdir "$hv_root"/spool/* "$hv_root/spool" "$hv_root/bench" "$hv_root" 2>/dev/null
    hv_say end
}
