# run.sh EXPERIMENT PROGRAM [GROUP.NAME=VALUE...]: one run of the model in this folder.
# The input is linked, "data" is changed, and what was written is listed in "written": checksum, bytes, name; then "end".
experiment=$1 program=$2
shift 2
long_ago=200001010000 stamp=200101010000
lay_out() { # NAME: the experiment's folder is only read: what the model could write under that name is no link
    case $1 in
        mitgcmuv | STDOUT.* | STDERR.* | run.sh | namelist.awk | written | room | stamp | *.log | scratch*) ;;
        pickup*) copy "$1" ;;
        *.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*) ;; # an earlier run's output
        *.data | *.meta | *.nc | fort.*) copy "$1" ;;
        *) ln -s "$experiment/$1" "$1" ;;
    esac
}
copy() { # what is written afterwards is newer
    cat "$experiment/$1" >"$1" && touch -t "$long_ago" "$1"
}
for file in "$experiment"/*; do
    [ ! -f "$file" ] || lay_out "${file##*/}" || exit 125
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
is_written() { # by the model
    [ -f "$1" ] && [ ! -L "$1" ] && [ "$1" -nt stamp ] || return 1
    case $1 in run.sh | namelist.awk | data | written | STDOUT.* | STDERR.*) return 1 ;; esac
}
touch -t "$stamp" stamp || exit 125
"$program"
status=$?
# A full disk shows here and nowhere else, and then there may be no room to say so.
for file in *; do
    ! is_written "$file" || list "$file" || exit 125
done >written || exit 125
echo end >>written && printf '%4096s' '' >room || exit 125
exit "$status"
