# What this node is, one "key value" a line, read with shell builtins wherever that is possible.
# A line that is not there means: this node cannot tell.
hv_read() {
    hv_value=
    [ -r "$2" ] && IFS= read -r hv_value <"$2" 2>/dev/null
    [ -n "$hv_value" ] && printf '%s %s\n' "$1" "$hv_value"
}
hv_clock() {
    printf 'clock %s\n' "$(date +%s.%N)"
    hv_read uptime /proc/uptime
}
hv_identity() {
    hv_read boot_id /proc/sys/kernel/random/boot_id
    hv_read release /proc/sys/kernel/osrelease
    hv_read version /proc/sys/kernel/version
    hv_read hostname /proc/sys/kernel/hostname
    hv_read cmdline /proc/cmdline
    hv_read cpus /sys/devices/system/cpu/online
    [ -n "$hv_value" ] || while read -r hv_cpu hv_rest; do
        case $hv_cpu in cpu[0-9]*) printf 'cpu %s\n' "$hv_cpu" ;; cpu) ;; *) break ;; esac
    done </proc/stat
    hv_read memory /proc/meminfo
    hv_read hypervisor /sys/hypervisor/type
    hv_read xen_capabilities /proc/xen/capabilities
    [ -z "$hv_probe" ] || printf 'probe %s\n' "$(/bin/sh -c "$hv_probe" </dev/null 2>/dev/null)"
}
