# Processes by a mark in their environment. POSIX sh, or busybox; nothing is changed.

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
