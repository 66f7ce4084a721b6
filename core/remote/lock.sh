# The node's lock, the lease of one runner: a folder hpcvirt-lock.BOOT_ID.PLACE.SEAT.NONCE in a folder that everybody may
# write to and nobody may take others' things out of (sticky). It is readable by all and says who holds the node. SEAT
# names a campaign, which copies of its database share; NONCE names the process that works on one of them.
#
#   who      a line for people
#   runner   the process that holds it, and its database: see RunnerIdentity in lease.py
#   until    uptime of the node, in whole seconds, until which it holds; put off while its campaign lives
#   job      process id of the run or preparation under way, or 0: while that lives the lock holds, whatever `until` says
#   leaving  is there when the campaign is about to give the node free
#
# The boot_id in its name makes a lock of an earlier boot none. Nobody can remove another user's: one that is out
# of date is passed over. Whoever comes first puts up his own and then looks for others', so that of two who come
# at once at least one sees the other; who holds the node already need not look. Another runner of the same campaign is
# another like any other, unless the caller has proved that it is dead (hv_takes).

hv_lock_base() {
    for hv_base in $hv_lock_bases; do
        if [ -d "$hv_base" ] && [ -k "$hv_base" ] && [ -w "$hv_base" ]; then
            hv_locks=$hv_base/hpcvirt-lock.$hv_boot.$hv_place
            hv_lock=$hv_locks.$hv_seat.$hv_owner
            return
        fi
    done
    hv_base=
}

hv_line() { # FILE: hv_value, its first line if it is a plain file; it may vanish at any moment
    hv_value=
    [ ! -f "$1" ] || [ -L "$1" ] || IFS= read -r hv_value 2>/dev/null <"$1"
}

hv_number() { # FILE: hv_value, 0 unless it is one of digits
    hv_line "$1"
    case $hv_value in '' | *[!0-9]*) hv_value=0 ;; esac
}

hv_is_held() { # LOCK
    [ -d "$1" ] && [ ! -L "$1" ] || return 1
    hv_number "$1/until"
    if [ "$hv_value" -eq 0 ]; then # it may be just being written
        hv_nap 0.1
        hv_number "$1/until"
    fi
    [ "$hv_value" -le "$hv_uptime" ] || return 0
    hv_number "$1/job"
    [ "$hv_value" -ne 0 ] && hv_lives "$hv_value"
}

hv_lives() { # PID: also another user's; what has ended and was not yet taken leave of does not
    IFS= read -r hv_rest 2>/dev/null <"/proc/$1/stat" || return 1
    case ${hv_rest##*) } in Z* | X*) return 1 ;; esac
}

hv_others() { # hv_other: somebody else's lock that holds
    for hv_other in "$hv_locks".*; do
        [ "$hv_other" = "$hv_lock" ] || hv_is_taken "$hv_other" || ! hv_is_held "$hv_other" || return 0
    done
    return 1
}

hv_is_taken() { # LOCK: of a dead runner of this campaign, whose place the caller takes
    case $1 in "$hv_locks.$hv_seat".*) ;; *) return 1 ;; esac
    case " $hv_takes " in *" ${1##*.} "*) ;; *) return 1 ;; esac
}

hv_take_over() { # what a dead runner left under way holds the node on
    for hv_other in "$hv_locks.$hv_seat".*; do
        hv_is_taken "$hv_other" || continue
        hv_number "$hv_other/job"
        [ "$hv_value" -eq 0 ] || hv_lock_job "$hv_value"
        rm -rf "$hv_other" 2>/dev/null # unless it is another user's
    done
}

hv_put_up() { # SECONDS: our lock, whole before it holds
    rm -rf "$hv_lock"
    mkdir "$hv_lock" && printf '%s\n' "$hv_who" >"$hv_lock/who" &&
        printf '%s\n' "$hv_runner" >"$hv_lock/runner" && echo 0 >"$hv_lock/job" &&
        echo $((hv_uptime + $1)) >"$hv_lock/until" && chmod 755 "$hv_lock" && chmod 644 "$hv_lock"/* ||
        hv_fail "$hv_lock cannot be made"
}

hv_hold() { # SECONDS: have the node to ourselves for so long, or say who has it
    hv_try_hold "$1" && return
    hv_say "held by $hv_told ($hv_other)"
    printf '%s\n' "$hv_value"
    [ -z "$hv_lists" ] || hv_list_under_way
    hv_say end
    exit 0
}

hv_try_hold() { # SECONDS: the same, or hv_other is the lock of who has it: hv_told for people, hv_value which process
    hv_lock_base
    [ -n "$hv_base" ] || return 0
    IFS=. read -r hv_uptime hv_rest </proc/uptime
    hv_wanted=$((hv_uptime + $1))
    hv_number "$hv_lock/until"
    if [ "$hv_value" -gt "$hv_uptime" ] && [ -O "$hv_lock" ]; then
        # So early that one time of those that its campaign does so may fail; but not with every run.
        [ "$hv_value" -ge $((hv_wanted + hv_lease * 3 / 4)) ] || echo $((hv_wanted + hv_lease)) >"$hv_lock/until" ||
            hv_fail "$hv_lock cannot be written"
        return 0
    fi
    for hv_pause in 0.$(($$ % 7 + 2)) 0.$(($$ % 5 + 2)) ''; do
        hv_put_up $(($1 + hv_lease))
        hv_others || {
            [ -z "$hv_takes" ] || hv_take_over
            return 0
        }
        hv_line "$hv_other/who"
        hv_told=${hv_value:-somebody}
        hv_line "$hv_other/runner"
        rm -rf "$hv_lock"
        [ -z "$hv_pause" ] || hv_nap "$hv_pause" # perhaps the other one came at this moment too, and goes
    done
    return 1
}

hv_lock_job() { # PID, or 0: what runs now
    [ -z "$hv_base" ] || echo "$1" >"$hv_lock/job"
}

hv_do_lease() { # by this runner, from now on; and which attempts run here, for it to say whether it knows them
    hv_open
    hv_lists=yes
    hv_hold 0
    hv_say "lock ${hv_base:-none}"
    hv_list_under_way
    hv_say end
}

hv_do_cede() { # a lease that its runner may not use
    hv_open
    hv_lock_base
    hv_number "${hv_lock:-}/job"
    [ -z "$hv_base" ] || { [ "$hv_value" -ne 0 ] && hv_lives "$hv_value"; } || rm -rf "$hv_lock"
    hv_say end
}

hv_do_hold() {
    hv_open
    hv_hold 0
    hv_say "lock ${hv_base:-none}"
    hv_say end
}
