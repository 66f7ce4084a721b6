#!/bin/sh
# Called by an MPI launcher for ssh:  ssh [OPTION...] HOST WORD...
# Starts the launcher's daemon on HOST with the marks of the run, so that it is found there and ended with it.
# Where ssh itself fails the launcher is told at once: some wait for that daemon for ever.
# Its own folder is the first.
PATH=${PATH#*:}
hv_options=
while :; do
    case ${1:-} in
    -l | -p | -o)
        hv_options="$hv_options $1 $2"
        shift 2
        ;;
    -*)
        hv_options="$hv_options $1"
        shift
        ;;
    *) break ;;
    esac
done
hv_host=$1
shift
hv_seat=
case ${hv_host##*@} in
@SEATS@
esac
# As ssh would send it, for a shell that may be any.
hv_told=$(printf '%s' "$*" | sed "s/'/'\\\\''/g")
# shellcheck disable=SC2086
ssh $hv_options -o BatchMode=yes -o ConnectTimeout=20 "$hv_host" \
    "env HPCVIRT_RUN=@RUN@ HPCVIRT_SEAT='$hv_seat' /bin/sh -c '$hv_told'"
hv_status=$?
if [ "$hv_status" -eq 255 ]; then
    echo "hpcvirt: ssh from this node to $hv_host failed" >&2
    kill -TERM "$PPID"
fi
exit "$hv_status"
