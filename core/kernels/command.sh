# The operator's scripts that were begun on this machine and still run: they are awaited, or ended. POSIX sh, behind
# marked.sh, with hv_script and hv_limit, seconds, in its environment. It answers in lines of "key value".
#
# The shell of a script carries HPCVIRT_SCRIPT=$hv_script in its environment and hands it on to nothing: what a script
# leaves running behind itself is the operator's.

hv_is_there() { # PID: hv_parent; what only waits for its parent to notice is not there
    hv_line=
    { IFS= read -r hv_line <"/proc/$1/stat"; } 2>/dev/null
    set -- ${hv_line##*) }
    case ${1:-Z} in Z | X) return 1 ;; esac
    hv_parent=$2
}

hv_add_children() { # to hv_pids, and theirs
    hv_before=
    while [ "$hv_before" != "$hv_pids" ]; do
        hv_before=$hv_pids
        for hv_file in /proc/[0-9]*; do
            hv_pid=${hv_file#/proc/}
            case " $hv_pids " in *" $hv_pid "*) continue ;; esac
            hv_is_there "$hv_pid" || continue
            case " $hv_pids " in *" $hv_parent "*) hv_pids="$hv_pids $hv_pid" ;; esac
        done
    done
}

hv_await() { # SECONDS, at most: hv_pids that are still there
    hv_left=$1
    while :; do
        hv_alive=
        for hv_pid in $hv_pids; do
            ! hv_is_there "$hv_pid" || hv_alive="$hv_alive $hv_pid"
        done
        hv_pids=$hv_alive
        [ -n "$hv_pids" ] && [ "$hv_left" -gt 0 ] || return 0
        hv_left=$((hv_left - 1))
        sleep 1
    done
}

hv_marked "HPCVIRT_SCRIPT=$hv_script"
[ -n "$hv_pids" ] || exit 0
echo "found$hv_pids"
hv_await "$hv_limit"
[ -n "$hv_pids" ] || exit 0
echo "ended$hv_pids"
hv_add_children
for hv_pid in $hv_pids; do
    kill -KILL "$hv_pid" 2>/dev/null
done
hv_await 5
[ -z "$hv_pids" ] || echo "stuck$hv_pids"
