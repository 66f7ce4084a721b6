# What this node is, one "key value" a line, read with shell builtins wherever that is possible.
# A line that is not there means: this node cannot tell.
hv_nl='
'
hv_cmdline_of= # the boot_id under which it was read
hv_first() { # FILE: hv_value, its first line. Fails if there is none
    hv_value=
    IFS= read -r hv_value <"$1"
    [ -n "$hv_value" ]
}
hv_read() { # KEY FILE
    hv_first "$2" 2>/dev/null && printf '%s %s\n' "$1" "$hv_value"
}
hv_clock() { # and what the shell's children have used of the CPU
    hv_read uptime /proc/uptime
    # Where the shell has the time it forbids nobody to set it, and stays as it is. Elsewhere it comes from the environment.
    [ -z "${EPOCHREALTIME:-}" ] || EPOCHREALTIME=
    hv_value=${EPOCHREALTIME:-}
    if [ -n "$hv_value" ]; then
        printf 'clock %s.%s\n' "${hv_value%[.,]*}" "${hv_value#*[.,]}"
    else
        date '+clock %s.%N'
    fi
    # Once more: on a busy node a program takes its time, and this says how much.
    hv_read uptime_then /proc/uptime
    times
}
hv_take() { # FILE: to hv_told, all of it
    while IFS= read -r hv_value; do
        hv_told="$hv_told$hv_value$hv_nl"
    done <"$1"
}
hv_add() { # KEY VALUE
    hv_told="$hv_told$1 $2$hv_nl"
}
hv_note() { # KEY FILE
    hv_first "$2" && hv_add "$1" "$hv_value"
}
hv_know() { # hv_told. In a variable, so that two readings can be compared
    hv_told=
    hv_note boot_id /proc/sys/kernel/random/boot_id
    # What it was booted with a kernel tells all its life. Each byte of a line costs a microsecond, and here are many.
    [ -n "$hv_value" ] && [ "$hv_value" = "$hv_cmdline_of" ] || {
        hv_cmdline_of=$hv_value
        hv_first /proc/cmdline
        hv_cmdline=$hv_value
    }
    hv_note release /proc/sys/kernel/osrelease
    hv_note version /proc/sys/kernel/version
    # The file is there since Linux 6.1.
    hv_note machine /proc/sys/kernel/arch || hv_add machine "$(uname -m)"
    hv_note hostname /proc/sys/kernel/hostname
    [ -z "$hv_cmdline" ] || hv_add cmdline "$hv_cmdline"
    hv_note cpus /sys/devices/system/cpu/online || while read -r hv_cpu hv_rest; do
        case $hv_cpu in cpu[0-9]*) hv_add cpu "$hv_cpu" ;; cpu) ;; *) break ;; esac
    done </proc/stat
    hv_note governor /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
    hv_note clocksource /sys/devices/system/clocksource/clocksource0/current_clocksource
    hv_note memory /proc/meminfo
    if hv_note hypervisor /sys/hypervisor/type; then
        hv_note guest_type /sys/hypervisor/guest_type
        hv_note uuid /sys/hypervisor/uuid
        hv_note xen_capabilities /proc/xen/capabilities
    fi
    [ -z "$hv_probe" ] || {
        hv_value=$(hv_probe_line)
        [ -z "$hv_value" ] || hv_add probe "$hv_value"
    }
} 2>/dev/null
hv_identity() {
    hv_know
    printf '%s' "$hv_told"
}
hv_probe_line() { # its first line, unless it fails
    {
        /bin/sh -c "$hv_probe" </dev/null 2>/dev/null
        printf '\n@status %s\n' "$?"
    } | {
        IFS= read -r hv_first
        # Not until the pipe's end: what the probe leaves running may keep it open.
        while IFS= read -r hv_value; do
            case $hv_value in '@status '*) break ;; esac
        done
        [ -z "$hv_first" ] || [ "$hv_value" != '@status 0' ] || printf '%s\n' "$hv_first"
    }
}
hv_cpu_model() { # not with every run: to open this file can cost 10 ms and wake every CPU
    while IFS=: read -r hv_key hv_value; do
        case $hv_key in
            'model name'* | 'cpu	'* | 'Processor'*)
                printf 'cpu_model %s\n' "${hv_value# }"
                break
                ;;
        esac
    done </proc/cpuinfo
}
