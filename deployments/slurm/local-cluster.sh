#!/usr/bin/env bash
# A real SLURM on this machine, for tests: two virtual nodes, no systemd, everything in one folder.
#
#   local-cluster.sh up [DIR]     start it; prints `export SLURM_CONF=…`, which is all that sbatch and squeue need
#   local-cluster.sh down [DIR]   end it with every process of its jobs, and remove DIR
#
# Needs Debian's slurmctld, slurmd, slurm-client and munge. DIR is a new folder, on a short path (sockets).
set -euo pipefail

NODES=2          # virtual: they share this machine
CPUS=4           # of each, whatever the machine has
MEMORY_MB=8000   # of each
UP_S=30          # longest wait for the nodes
DOWN_S=15        # longest wait for the daemons to end
PACKAGES=(slurmctld slurmd slurm-client munge)
PATH=$PATH:/usr/sbin:/sbin

fail() { echo "local-cluster.sh: $*" >&2; exit 1; }

# A row of ports that nothing listens on: one for the controller, one for each node.
free_ports() {
    local base port
    for _ in $(seq 50); do
        base=$((20000 + RANDOM % 10000))
        for port in $(seq "$base" $((base + NODES))); do
            (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null && continue 2
        done
        echo "$base"
        return
    done
    fail "no $((NODES + 1)) free ports in a row"
}

write_configuration() {
    local host user port
    host=$(hostname -s) user=$(id -un) port=$(free_ports)
    cat >"$DIR/slurm.conf" <<CONF
ClusterName=farfield
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket,cred_expire=5
CredType=cred/munge
MailProg=/bin/true
MpiDefault=pmi2
# no cgroups: processes are followed by their parents, and nothing confines them
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# seconds instead of half minutes: tests wait for them
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
ReturnToService=2
KillWait=5
MinJobAge=300
SlurmctldTimeout=60
SlurmdTimeout=15
InactiveLimit=0
StateSaveLocation=$DIR/state
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdPidFile=$DIR/run/slurmd-%n.pid
SlurmdSpoolDir=$DIR/spool/%n
SlurmdLogFile=$DIR/log/slurmd-%n.log
SlurmdParameters=config_overrides
NodeName=n[1-$NODES] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + NODES))] CPUs=$CPUS Boards=1 SocketsPerBoard=1 CoresPerSocket=$CPUS ThreadsPerCore=1 RealMemory=$MEMORY_MB State=UNKNOWN
PartitionName=main Nodes=n[1-$NODES] Default=YES MaxTime=INFINITE DefaultTime=10 DefMemPerCPU=500 State=UP
PartitionName=closed Nodes=n[1-$NODES] MaxTime=60 DefMemPerCPU=500 State=DOWN
CONF
}

up() {
    local program
    for program in slurmctld slurmd sbatch munged; do
        command -v "$program" >/dev/null || fail "$program is missing: apt-get install ${PACKAGES[*]}"
    done
    [ ! -e "$DIR" ] || [ -z "$(ls -A "$DIR")" ] || fail "$DIR is not empty: take it down first, or name another"
    mkdir -p "$DIR"/{munge,state,log,run}
    local above=$DIR
    while above=$(dirname "$above") && [ "$above" != / ]; do
        case $(stat -c %a "$above") in *[1357]) ;; *) rm -r "$DIR"; fail "$above is closed to other users, which munged refuses: name a folder elsewhere" ;; esac
    done
    for node in $(seq "$NODES"); do mkdir -p "$DIR/spool/n$node"; done
    # munged insists on it
    chmod 755 "$DIR" "$DIR/munge"
    (umask 077 && head -c 1024 /dev/urandom >"$DIR/munge/key")
    write_configuration
    export SLURM_CONF=$DIR/slurm.conf
    trap 'status=$?; [ $status = 0 ] || { tail -n 20 "$DIR"/log/*.log >&2; down; }; exit $status' EXIT
    munged --key-file="$DIR/munge/key" --socket="$DIR/munge/socket" --pid-file="$DIR/munge/pid" \
        --log-file="$DIR/log/munged.log" --seed-file="$DIR/munge/seed" >&2
    slurmctld >&2
    for node in $(seq "$NODES"); do slurmd -N "n$node" >&2; done
    for _ in $(seq $((UP_S * 5))); do
        if [ "$(sinfo -h -N -p main -o '%T' 2>/dev/null | grep -cx idle)" = "$NODES" ]; then
            echo "export SLURM_CONF=$SLURM_CONF"
            return
        fi
        sleep 0.2
    done
    fail "the nodes did not come up within $UP_S s"
}

# Processes of this cluster and of its jobs: they carry its SLURM_CONF. Never this script, or who runs it.
processes() {
    local entry pid ancestors=" " ancestor=$$
    while [ "${ancestor:-0}" -gt 1 ]; do
        ancestors+="$ancestor "
        ancestor=$(awk '/^PPid:/ {print $2}' "/proc/$ancestor/status" 2>/dev/null || echo 0)
    done
    for entry in /proc/[0-9]*/environ; do
        pid=${entry#/proc/} pid=${pid%/environ}
        [[ $ancestors == *" $pid "* ]] && continue
        tr '\0' '\n' <"$entry" 2>/dev/null | grep -qxF "SLURM_CONF=$DIR/slurm.conf" && echo "$pid"
    done 2>/dev/null
    true
}

down() {
    trap - EXIT
    [ -f "$DIR/slurm.conf" ] || fail "$DIR holds no cluster"
    export SLURM_CONF=$DIR/slurm.conf
    local pid pids
    timeout 5 scancel --user="$(id -un)" 2>/dev/null || true
    timeout 5 scontrol shutdown 2>/dev/null || true
    for _ in $(seq $((DOWN_S * 5))); do
        pids=$(for file in "$DIR"/run/*.pid; do cat "$file" 2>/dev/null || true; done)
        alive=0
        for pid in $pids; do kill -0 "$pid" 2>/dev/null && alive=1; done
        [ $alive = 1 ] || break
        sleep 0.2
    done
    for pid in $(processes); do kill -KILL "$pid" 2>/dev/null || true; done
    if pid=$(cat "$DIR/munge/pid" 2>/dev/null); then
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 25); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    fi
    rm -rf "$DIR"
}

case ${1:-} in
up | down)
    DIR=$(realpath -m "${2:-${TMPDIR:-/tmp}/farfield-slurm-$(id -u)}")
    "$1"
    ;;
*) fail "give up or down, and a folder: local-cluster.sh up|down [DIR]" ;;
esac
