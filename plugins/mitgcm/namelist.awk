# Sets GROUP.NAME=VALUE (HV_CHANGES, one a line) in a Fortran namelist: what the group says of the name goes,
# with its continuation lines, and the new value stands right behind the group's head.
BEGIN {
    count = split(ENVIRON["HV_CHANGES"], lines, "\n")
    for (i = 1; i <= count; i++) {
        at = index(lines[i], "=")
        dot = index(lines[i], ".")
        if (at == 0 || dot == 0) continue
        groups[i] = tolower(substr(lines[i], 1, dot - 1))
        names[i] = tolower(substr(lines[i], dot + 1, at - dot - 1))
        texts[i] = " " substr(lines[i], dot + 1) ","
    }
}
function is_ours(name, i) {
    for (i in names) {
        if (groups[i] == group && names[i] == name) return 1
        # The number of steps may be said in three ways, of which only one may stand.
        if (groups[i] == group && names[i] == "ntimesteps" && (name == "endtime" || name == "nenditer")) return 1
    }
    return 0
}
/^[ \t]*&/ && $1 !~ /^&end/ && $1 !~ /^&END/ {
    group = tolower(substr($1, 2))
    print
    dropping = 0
    for (i = 1; i <= count; i++) if (groups[i] == group) { print texts[i]; found[i] = 1 }
    next
}
/^[ \t]*(\/|&end|&END)/ { group = ""; dropping = 0; print; next }
/^[#!]/ { print; next }
group != "" && /^[ \t]*[A-Za-z][A-Za-z0-9_]*(\([^)]*\))?[ \t]*=/ {
    name = $0
    sub(/^[ \t]*/, "", name)
    sub(/[ \t(=].*/, "", name)
    dropping = is_ours(tolower(name))
}
!dropping { print }
END {
    for (i = 1; i <= count; i++) if (groups[i] != "" && !found[i]) { print lines[i] ": no such group" >"/dev/stderr"; exit 1 }
}
