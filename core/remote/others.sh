# Who else works on this node: a line for each session and each user's processes. POSIX sh; nothing is changed.
hv_me=$(id -un)
hv_uid=$(id -u)
who 2>/dev/null | while read -r hv_user hv_tty hv_rest; do
    [ "$hv_user" = "$hv_me" ] || echo "other $hv_user is logged in on $hv_tty"
done
hv_min=1000
[ ! -r /etc/login.defs ] || while read -r hv_key hv_value hv_rest; do
    case $hv_key/$hv_value in UID_MIN/*[!0-9]* | UID_MIN/) ;; UID_MIN/*) hv_min=$hv_value ;; esac
done </etc/login.defs
ls -ldn /proc/[0-9]* 2>/dev/null | {
    hv_seen=" "
    hv_looked=
    while read -r hv_mode hv_links hv_owner hv_group hv_size hv_month hv_day hv_time hv_path; do
        # Where others' processes are hidden, the first one is too.
        [ "$hv_path" != /proc/1 ] || hv_looked=all
        # Below UID_MIN are the system's own users, above 61183 systemd's and nobody.
        [ "$hv_owner" -ge "$hv_min" ] && [ "$hv_owner" -ne "$hv_uid" ] || continue
        [ "$hv_owner" -lt 61184 ] || [ "$hv_owner" -gt 65535 ] || continue
        case $hv_seen in *" $hv_owner "*) continue ;; esac
        hv_name=something
        { IFS= read -r hv_name <"$hv_path/comm"; } 2>/dev/null || [ -d "$hv_path" ] || continue
        hv_seen="$hv_seen$hv_owner "
        hv_user=$(id -un "$hv_owner" 2>/dev/null) || hv_user="user $hv_owner"
        echo "other $hv_user runs ${hv_name:-something} (pid ${hv_path#/proc/})"
    done
    [ -z "$hv_looked" ] || echo "looked $hv_looked"
}
