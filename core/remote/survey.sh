# What a node is like before a campaign, one "key value" a line. Nothing is changed, nothing is made.
# A line that is not there means: this node cannot tell.
hv_survey() {
    printf 'now %s\n' "$(date +%s.%N)"
    hv_survey_scratch
    hv_survey_others
}
hv_survey_scratch() {
    # What is not there yet is made with the first run, in what is there.
    hv_place=$hv_scratch
    while [ ! -d "$hv_place" ] && [ -n "$hv_place" ]; do
        hv_place=${hv_place%/*}
    done
    hv_place=${hv_place:-/}
    [ -w "$hv_place" ] && [ -x "$hv_place" ] && echo 'scratch_writable yes'
    printf 'scratch_place %s\n' "$hv_place"
    hv_scratch=$hv_place
    hv_place=$(cd "$hv_scratch" 2>/dev/null && pwd -P) || hv_place=$hv_scratch
    hv_found=
    hv_mount=
    while read -r hv_device hv_point hv_type hv_options hv_rest; do
        case $hv_place/ in
            "${hv_point%/}"/*) [ "${#hv_point}" -lt "${#hv_found}" ] || {
                hv_found=$hv_point
                hv_mount="$hv_type $hv_device $hv_options"
            } ;;
        esac
    done </proc/mounts
    [ -z "$hv_found" ] || printf 'scratch_mount %s\n' "$hv_mount"
    df -Pk "$hv_scratch" 2>/dev/null | {
        read -r hv_rest
        read -r hv_device hv_size hv_used hv_free hv_rest && printf 'scratch_free_kib %s\n' "$hv_free"
    }
}
hv_survey_others() {
    hv_read load /proc/loadavg
    who 2>/dev/null | while read -r hv_user hv_line hv_rest; do
        printf 'login %s %s\n' "$hv_user" "$hv_line"
    done
    # What a scheduler starts for each job, and only then.
    for hv_dir in /proc/[0-9]*; do
        hv_value=
        { IFS= read -r hv_value <"$hv_dir/comm"; } 2>/dev/null
        case $hv_value in
            slurmstepd | sge_shepherd | condor_starter) printf 'job %s\n' "$hv_value" ;;
        esac
    done
}
hv_need() { # COMMAND: its first line and its exit status
    hv_value=$(hv_scratch=$hv_scratch /bin/sh -c "$1" </dev/null 2>&1)
    hv_status=$?
    printf 'status %s\n%s\n' "$hv_status" "$hv_value"
}
