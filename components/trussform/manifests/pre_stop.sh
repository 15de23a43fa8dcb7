# The preStop hook of a server, run as: sh -c SCRIPT pre-stop DELAY DRAIN PORT
# DELAY: seconds until routers know that the pod has left the endpoints.
# DRAIN: seconds to wait while clients are connected; 0 for a server that drains by itself.
# PORT: the server's port as four upper-case hexadecimal digits, as /proc/net/tcp has it.
# It needs any POSIX shell, `cat`, `sleep` and `readlink`. The pod's spec leaves these comments out.

delay=$1 drain=$2 port=$3

# Succeeds while a connection to the port is established. By a pipe, as bash would seek in the file
# at each line, which takes the kernel minutes where there are thousands of connections.
connected() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | (
        while read -r slot here there state rest; do
            case "$here $state" in *:"$port 01") exit 0 ;; esac
        done
        exit 1
    )
}

# Sets `kind` of the process $1. A shell, or what else starts a server and passes no SIGTERM on,
# is no server. Neither is a helper: it ends by itself, or must outlive the server that writes to it.
classify() {
    comm= kind=server
    { read -r comm <"/proc/$1/comm"; } 2>/dev/null
    program=$(readlink "/proc/$1/exe" 2>/dev/null)
    program=${program:-$comm}
    program=${program%" (deleted)"}
    case "$comm" in
        sleep | tail | tee | cat | grep | sed | awk | gawk | mawk | head | tr | cut | ts | logger | \
            rotatelogs | cronolog | multilog | svlogd | more | less | yes) kind=helper ;;
        time | tini | dumb-init | docker-init | catatonit | su | runuser | conda | mamba | \
            micromamba | uv | uvx | xargs) kind=shell ;;
        *) case "${program##*/}" in
            sh | ash | bash* | dash | zsh* | *ksh* | busybox* | *.sh) kind=shell ;;
        esac ;;
    esac
}

# Sorts the living processes below process 1 into `servers`, `helpers` and `shells`. The children of
# a server are its own to stop.
look() {
    servers='' helpers='' shells='' below=' 1 '
    while [ -n "$below" ]; do
        parents=$below below=''
        for entry in /proc/[0-9]*; do
            line=''
            { read -r line <"$entry/stat"; } 2>/dev/null
            line=${line##*") "}
            case "$line" in '' | Z* | X*) continue ;; esac
            parent=${line#* }
            case "$parents" in *" ${parent%% *} "*) ;; *) continue ;; esac
            child=${entry#/proc/}
            classify "$child"
            case $kind in
                server) servers="$servers $child" ;;
                helper) helpers="$helpers $child" ;;
                shell) shells="$shells $child" below="$below $child " ;;
            esac
        done
    done
}

sleep "$delay"

# Requests first, for a server that would cut them: no connection in two looks, a second apart.
quiet=0
while [ "$drain" -gt 0 ] && [ "$quiet" -lt 2 ]; do
    if connected; then quiet=0; else quiet=$((quiet + 1)); fi
    drain=$((drain - 1))
    sleep 1
done

# A server that is process 1 gets SIGTERM from the kubelet, after this.
classify 1
[ "$kind" != server ] || exit 0

# Each process gets SIGTERM once. Helpers get it when no server is left, shells when nothing else
# is, when helpers are started for ever, or when servers are. A shell may be about to start another
# server, so this ends with the container, or when process 1 has been alone in five looks.
signalled=' ' without=0 alone=0 starts=0
while [ "$alone" -lt 5 ]; do
    look
    if [ -n "$servers" ]; then now=$servers without=0; else now=${helpers:-$shells}; fi
    if [ -n "$now" ]; then alone=0; else alone=$((alone + 1)); fi
    without=$((without + 1))
    [ "$without" -le 3 ] || [ -n "$servers" ] || now="$helpers $shells"
    [ "$starts" -le 3 ] || now="$shells $now"
    started=0
    for process in $now; do
        case "$signalled" in *" $process "*) continue ;; esac
        case "$servers " in *" $process "*) started=1 ;; esac
        kill -TERM "$process" 2>/dev/null
        signalled="$signalled$process "
    done
    starts=$((starts + started))
    sleep 1
done
exit 0
