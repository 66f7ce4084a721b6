# run.sh EXPERIMENT PROGRAM [GROUP.NAME=VALUE...]: one run of the model in this folder.
# The input is linked, "data" is changed, and what was written is listed in "written": checksum, bytes, name.
experiment=$1 program=$2
shift 2
for file in "$experiment"/*; do
    name=${file##*/}
    case $name in mitgcmuv | STDOUT.* | STDERR.* | run.sh | namelist.awk | written | *.meta) continue ;; esac
    [ ! -f "$file" ] || ln -s "$file" "$name" || exit 125
done
if [ $# -gt 0 ]; then
    HV_CHANGES=$(printf '%s\n' "$@")
    export HV_CHANGES
    rm -f data
    awk -f namelist.awk "$experiment/data" >data || exit 125
fi
list() { # without cksum sizes alone are told
    if command -v cksum >/dev/null 2>&1; then
        cksum "$1"
    else
        echo "- $(($(wc -c <"$1"))) $1"
    fi
}
"$program"
status=$?
# Only what the model made: the input is links. A full disk shows here and nowhere else.
for file in *; do
    [ ! -f "$file" ] || [ -L "$file" ] || case $file in
        run.sh | namelist.awk | data | written | STDOUT.* | STDERR.*) ;;
        *) list "$file" ;;
    esac
done >written
printf '%4096s' '' 2>/dev/null >room || echo 'full 0 disk' >>written
exit "$status"
