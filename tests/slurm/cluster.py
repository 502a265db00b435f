"""A SLURM of one machine: munged, slurmctld and slurmd on loopback, with two pretend GPUs.

    python tests/slurm/cluster.py FOLDER -- snakemake --profile slurm all

runs a command with such a cluster, for as long as the command takes. Needs root, and Debian's
slurm-wlm and munge, which it installs if they are missing. Nothing outside FOLDER is touched, so
that several can run side by side, and none is mixed up with a SLURM that the machine may have.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "sinfo")
PACKAGES = ("slurm-wlm", "munge")
DAEMONS = "/usr/sbin"  # where Debian puts them; not on every PATH
PATIENCE = 60  # seconds for the daemons to answer

# There is no slurmdbd, hence no accounting. The pretend GPUs are device files that exist
# everywhere: with a count but no file the node would be invalid, and no CUDA_VISIBLE_DEVICES set.
SLURM_CONF = """\
ClusterName=pretend
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=1,sched_min_interval=100000
ReturnToService=2
MinJobAge=3600
SlurmdTimeout={node_timeout}
KillWait={kill_wait}
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000 Gres=gpu:2
PartitionName=pretend Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
GRES_CONF = """\
Name=gpu File=/dev/full
Name=gpu File=/dev/zero
"""


def why_not() -> str | None:
    """Say why no cluster can be started here, or None if it can. Installs what is missing."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "starting slurmctld and slurmd needs root"
    if DAEMONS not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] += f"{os.pathsep}{DAEMONS}"
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing and shutil.which("apt-get"):
        _install()
        missing = [program for program in PROGRAMS if not shutil.which(program)]
    return f"not installed: {', '.join(missing)}" if missing else None


def _install() -> None:
    """Install the packages; what fails is told by the programs that stay missing."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "-q"]
    install += ["--no-install-recommends", *PACKAGES]
    # Debian starts daemons on installation: of these, the tests use their own alone.
    policy = Path("/usr/sbin/policy-rc.d")
    forbid = not policy.exists()
    if forbid:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for command in (install, ["apt-get", "update", "-q"], install):
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            if command is install and done.returncode == 0:
                return
    finally:
        if forbid:
            policy.unlink()


class Cluster:
    """A running SLURM; a context manager that stops its daemons, by their own pids.

    Args:
        folder: where all its files go; must not exist yet.
        kill_wait: seconds between SIGTERM at a job's time limit and SIGKILL.
        node_timeout: seconds of silence after which the node is down.
    """

    def __init__(self, folder: Path, kill_wait: int = 30, node_timeout: int = 300):
        self.folder = Path(folder).resolve()
        self.host = socket.gethostname().split(".")[0]
        self.daemons: dict[str, subprocess.Popen] = {}
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
        for name in list(self.environment):
            if name.startswith(("SLURM_", "SBATCH_")) and name != "SLURM_CONF":
                del self.environment[name]
        settings = {
            "folder": self.folder,
            "host": self.host,
            "controller_port": _free_port(),
            "node_port": _free_port(),
            "kill_wait": kill_wait,
            "node_timeout": node_timeout,
            "cpus": os.cpu_count(),
        }
        for part in ("munge", "state", "spool", "bin"):
            (self.folder / part).mkdir(parents=True)
        # The executor drops SLURM_CONF from the environment in which it calls srun.
        srun = self.folder / "bin/srun"
        found = f"SLURM_CONF={self.folder}/slurm.conf exec {shutil.which('srun')}"
        srun.write_text(f'#!/bin/sh\n{found} "$@"\n')
        srun.chmod(0o755)
        self.environment["PATH"] = f"{srun.parent}:{os.environ['PATH']}"
        (self.folder / "munge/key").write_bytes(os.urandom(128))
        (self.folder / "munge/key").chmod(0o600)
        (self.folder / "slurm.conf").write_text(SLURM_CONF.format(**settings))
        (self.folder / "gres.conf").write_text(GRES_CONF)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self) -> None:
        """Start the three daemons and wait until the node takes jobs."""
        munge = self.folder / "munge"
        options = [f"--{kind}={munge / kind}" for kind in ("socket", "key-file", "pid-file")]
        options[1] = f"--key-file={munge / 'key'}"
        options += [f"--log-file={munge / 'log'}", f"--seed-file={munge / 'seed'}"]
        self._run("munged", "--foreground", "--force", *options)
        self.wait(lambda: (munge / "socket").exists(), "munged")
        self._run("slurmctld", "-D")
        self.start_node()

    def start_node(self) -> None:
        """Start slurmd, and wait until the node takes jobs."""
        self._run("slurmd", "-D")
        self.wait(lambda: self.node_state() in ("idle", "mixed", "allocated"), "the node")

    def kill_node(self) -> None:
        """Let the node fall silent: kill slurmd and every process of its jobs."""
        steps = self.processes_of_jobs()
        self._end("slurmd", signal.SIGKILL)
        for pid in steps:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes_of_jobs(self) -> dict[int, dict[str, str]]:
        """List the processes of this cluster's jobs, each with its environment."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                pairs = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                variables = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
                ours = variables.get("SLURM_CONF") == self.environment["SLURM_CONF"]
                if ours and "SLURM_JOB_ID" in variables:
                    found[int(entry.name)] = variables
        return found

    def node_state(self) -> str:
        """Return the node's state, as sinfo has it."""
        return self.ask("sinfo", "--noheader", "--format=%T").strip(" *\n")

    def jobs(self) -> list[dict[str, str]]:
        """List all jobs that SLURM remembers, one an array's task, as scontrol shows them."""
        shown = self.ask("scontrol", "show", "job", "--oneliner").splitlines()
        return [
            dict(field.split("=", 1) for field in line.split() if "=" in field)
            for line in shown
            if line.startswith("JobId=")  # and does not say that there are none
        ]

    def ask(self, *command: str) -> str:
        """Run one of SLURM's commands; return what it prints, nothing if it fails."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        return done.stdout if done.returncode == 0 else ""

    def wait(self, ready: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something is so.

        Raises:
            TimeoutError: if it is not in time, with the ends of the logs.
        """
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                logs = [*self.folder.glob("*.log"), *self.folder.glob("*.out")]
                tails = [f"{log.name}:\n{log.read_text()[-2000:]}" for log in logs]
                raise TimeoutError("\n".join([f"{what} is not ready after {seconds} s", *tails]))
            time.sleep(0.2)

    def stop(self) -> None:
        """Cancel what runs and stop the daemons."""
        if self.daemons:
            self.ask("scancel", "--user=root")
        for name in ("slurmd", "slurmctld", "munged"):
            self._end(name, signal.SIGTERM)
        for pid in self.processes_of_jobs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _run(self, name: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(
                [name, *arguments], env=self.environment, stdout=out, stderr=out
            )

    def _end(self, name: str, how: signal.Signals) -> None:
        daemon = self.daemons.pop(name, None)
        if daemon is None:
            return
        daemon.send_signal(how)
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main() -> int:
    """Run a command with a cluster."""
    if len(sys.argv) < 4 or sys.argv[2] != "--":
        sys.exit(__doc__)
    if reason := why_not():
        sys.exit(reason)
    with Cluster(Path(sys.argv[1])) as cluster:
        return subprocess.run(sys.argv[3:], env=cluster.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
