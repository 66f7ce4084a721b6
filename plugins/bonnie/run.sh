# run.sh KIND PROGRAM MIB: one Bonnie in this folder. What it met goes into the file "conditions".
kind=$1 program=$2 size=$3
{
    while read -r key value rest; do
        [ "$key" != MemTotal: ] || echo "memory_kib $value"
    done </proc/meminfo
    sync
    if { echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null; then echo 'caches dropped'; else echo 'caches kept'; fi
    read -r uptime rest </proc/uptime
    echo "started $uptime"
} >conditions
case $kind in
    bonnie++)
        # It refuses root unless told so, and a file below twice the memory that it is told of.
        set -- -d . -s "$size" -r "$((size / 2))" -n 0 -m node
        [ "$(id -u)" -ne 0 ] || set -- "$@" -u root
        ;;
    *) set -- -d . -s "$size" -m node ;;
esac
"$program" "$@"
status=$?
read -r uptime rest </proc/uptime
echo "ended $uptime" >>conditions
exit "$status"
