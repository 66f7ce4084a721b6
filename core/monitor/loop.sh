# What the monitor reads on a node. POSIX sh (dash, bash 3, busybox), sent on stdin to /bin/sh behind the assignment
# of hv_nonce, hv_proc and hv_sys.
#
# It reads with builtins and starts no process for a sample: a fork costs a node more than all of the reading. It is
# asked for each sample by a line on its stdin, so it neither sleeps nor measures time, costs nothing while it is not
# asked, and ends when its channel closes, however that happens: then there is nothing to read any more.
#
# An answer is lines of a key and numbers as the kernel says them; what a node lacks is not in it. Its last line is
# the nonce.

exec 2>/dev/null
umask 077
LC_ALL=C
export LC_ALL
cd /

hv_line='
'

hv_first() { # FILE: hv_found, its first line
    hv_found=
    IFS= read -r hv_found <"$1"
    [ -n "$hv_found" ]
}

hv_add() { # TEXT
    hv_answer=$hv_answer$1$hv_line
}

hv_begin() {
    hv_boot=
    hv_first "$hv_proc/sys/kernel/random/boot_id" && hv_boot=$hv_found
    hv_hz=$(getconf CLK_TCK) || hv_hz=100
    hv_who=
    command -v who >/dev/null && hv_who=yes
    # Whole disks and real interfaces: what is built of others would be counted twice.
    hv_disks=
    for hv_dir in "$hv_sys"/block/*/device; do
        [ -e "$hv_dir" ] && hv_disks="$hv_disks ${hv_dir%/device}"
    done
    hv_cards=
    for hv_dir in "$hv_sys"/class/net/*/device; do
        [ -e "$hv_dir" ] && hv_cards=yes
    done
    hv_temps=
    for hv_dir in "$hv_sys"/class/hwmon/hwmon*; do
        hv_first "$hv_dir/name" || continue
        case $hv_found in
        coretemp | k10temp | zenpower | cpu_thermal | power*)
            [ -e "$hv_dir/temp1_input" ] && hv_temps="$hv_temps $hv_dir/temp1_input"
            ;;
        esac
    done
    hv_clock=$hv_sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq
    set -f
    printf '\n@%s %s %s\n' "$hv_nonce" "$hv_boot" "$hv_hz"
}

hv_memory() {
    hv_told=
    while read -r hv_key hv_value hv_rest; do
        case $hv_key in
        MemTotal: | MemFree: | MemAvailable: | Buffers: | Cached: | SwapTotal:)
            hv_told="$hv_told $hv_key $hv_value"
            ;;
        SwapFree:)
            hv_told="$hv_told $hv_key $hv_value"
            break
            ;;
        esac
    done <"$hv_proc/meminfo"
    [ -z "$hv_told" ] || hv_add "memory$hv_told"
}

hv_network() {
    while read -r hv_key hv_rest; do
        case $hv_key in
        lo:*) continue ;;
        *:*) ;;
        *) continue ;;
        esac
        hv_name=${hv_key%%:*}
        [ -z "$hv_cards" ] || [ -e "$hv_sys/class/net/$hv_name/device" ] || continue
        # Old kernels leave no blank behind the colon.
        set -- ${hv_key#*:} $hv_rest
        hv_add "net $hv_name $1 $9"
    done <"$hv_proc/net/dev"
}

hv_storage() {
    for hv_dir in $hv_disks; do
        hv_first "$hv_dir/stat" || continue
        set -- $hv_found
        hv_add "disk ${hv_dir##*/} $3 $7 ${10}"
    done
}

hv_own() { # what this shell and the sshd before it have used
    hv_first "$hv_proc/$$/stat" || return
    set -- ${hv_found##*) }
    hv_add "loop $((${12} + ${13} + ${14} + ${15}))"
    hv_first "$hv_proc/$PPID/stat" || return
    case $hv_found in
    *'(sshd'* | *'(dropbear'*)
        set -- ${hv_found##*) }
        hv_add "sshd $((${12} + ${13}))"
        ;;
    esac
}

hv_seldom() { # what costs more, or changes slowly: a thermometer stops the core that it is in
    hv_told=
    for hv_file in $hv_temps; do
        hv_first "$hv_file" && hv_told="$hv_told $hv_found"
    done
    [ -z "$hv_told" ] || hv_add "temperature$hv_told"
    hv_first "$hv_clock" && hv_add "clock $hv_found"
    if [ -n "$hv_who" ]; then
        hv_blanks=$IFS
        IFS=$hv_line
        set -- $(who)
        IFS=$hv_blanks
        hv_add "logins $#"
    fi
}

hv_sample() { # WORD: "all" for what is asked seldom, too
    hv_answer=
    hv_first "$hv_proc/uptime" && hv_add "uptime $hv_found"
    hv_first "$hv_proc/stat" && hv_add "$hv_found"
    hv_first "$hv_proc/loadavg" && hv_add "load $hv_found"
    hv_memory
    hv_network
    hv_storage
    [ "$1" != all ] || hv_seldom
    hv_own
}

hv_serve() {
    while IFS= read -r hv_word; do
        hv_sample "$hv_word"
        printf '%s@%s\n' "$hv_answer" "$hv_nonce" || return
    done
}

# On one line: what follows it on stdin are words to be read, not commands.
hv_begin; hv_serve; exit 0
