# Processes by a mark in their environment. POSIX sh, or busybox; nothing is changed.

hv_marked() { # MARK: hv_pids, the processes that carry it in their environment
    hv_pids=
    hv_found=option
    # Mostly there is none: to hear of that costs no subshell. Nor does -q say whether there is a grep with -z, without
    # which busybox looks no further than an environment's first word.
    if [ -z "${hv_grep:-}" ]; then
        hv_grep=none
        ! printf x | grep -qszxF x 2>/dev/null || hv_grep=there
    fi
    if [ $hv_grep = there ]; then
        grep -qszxF "$1" /proc/[0-9]*/environ
        case $? in
            0) hv_found=$(grep -lszxF "$1" /proc/[0-9]*/environ) ;;
            1 | 2) return 0 ;; # 2: in none of those that it may read
        esac
    fi
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
