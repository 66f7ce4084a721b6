# Who else works on this node: a line for each session and each user's processes. POSIX sh; nothing is changed.
hv_me=$(id -un)
hv_uid=$(id -u)
who 2>/dev/null | while read -r hv_user hv_tty hv_rest; do
    [ "$hv_user" = "$hv_me" ] || echo "other $hv_user is logged in on $hv_tty"
done
ls -ldn /proc/[0-9]* 2>/dev/null | {
    hv_seen=" "
    while read -r hv_mode hv_links hv_owner hv_group hv_size hv_month hv_day hv_time hv_path; do
        # Below 1000 are the system's own users, above 61183 systemd's and nobody.
        [ "$hv_owner" -ge 1000 ] && [ "$hv_owner" -ne "$hv_uid" ] || continue
        [ "$hv_owner" -lt 61184 ] || [ "$hv_owner" -gt 65535 ] || continue
        case $hv_seen in *" $hv_owner "*) continue ;; esac
        hv_seen="$hv_seen$hv_owner "
        { IFS= read -r hv_name <"$hv_path/comm"; } 2>/dev/null || continue
        hv_user=$(id -un "$hv_owner" 2>/dev/null) || hv_user="user $hv_owner"
        echo "other $hv_user runs $hv_name (pid ${hv_path#/proc/})"
    done
}
