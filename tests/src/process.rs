//! Processes that tests start: their output is kept for the failure's text, and they end with
//! the value that stands for them.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::secrets::line_with_token;

/// How much of a process's output goes into a failure's text.
const LOG_TAIL_BYTES: usize = 4_000;

/// A running process, killed by its own id when dropped.
#[derive(Debug)]
pub struct ChildProcess {
    name: String,
    child: Child,
    folder: TempDir,
}

impl ChildProcess {
    /// Starts a command. Its standard output and standard error go to one file.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = File::create(log_path(&folder))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}: {}", command.get_program().display()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            folder,
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that the process has printed.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(log_path(&self.folder)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of what the process has printed, for a failure's text.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let from = log.ceil_char_boundary(log.len().saturating_sub(LOG_TAIL_BYTES));
        log.get(from..).unwrap_or_default().to_owned()
    }

    /// The exit status, when the process has ended.
    ///
    /// # Errors
    ///
    /// When the system cannot tell.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails, with the end of the output, when the process has ended.
    ///
    /// # Errors
    ///
    /// As said.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.ended()? {
            bail!("{} ended early ({status}):\n{}", self.name, self.log_tail());
        }
        Ok(())
    }

    /// Asks the process to end (SIGTERM), as an orchestrator does.
    ///
    /// # Errors
    ///
    /// When the signal cannot be sent.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(rustix::process::Signal::TERM)
    }

    /// Interrupts the process (SIGINT), as Ctrl-C does.
    ///
    /// # Errors
    ///
    /// When the signal cannot be sent.
    pub fn interrupt(&self) -> anyhow::Result<()> {
        self.signal(rustix::process::Signal::INT)
    }

    /// Ends the process at once (SIGKILL), as a machine that dies does.
    pub fn kill(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    ///
    /// When it still runs after the bound.
    pub async fn wait(&mut self, bound: Duration) -> anyhow::Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if started.elapsed() > bound {
                bail!(
                    "{} did not end within {} s:\n{}",
                    self.name,
                    bound.as_secs(),
                    self.log_tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn signal(&self, signal: rustix::process::Signal) -> anyhow::Result<()> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal)
            .with_context(|| format!("cannot signal {}", self.name))
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a command that has ended left behind.
#[derive(Debug, Clone)]
pub struct CommandOutput {
    /// The exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a program to its end. It is killed when the bound passes.
///
/// # Errors
///
/// When it cannot be started or does not end in time.
pub async fn run_command<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    bound: Duration,
) -> anyhow::Result<CommandOutput> {
    let running = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(bound, running)
        .await
        .with_context(|| format!("{} did not end within {bound:?}", program.display()))?
        .with_context(|| format!("cannot start {}", program.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    // A token that was made is on standard output; logs and failures go to the other.
    if let Some(line) = line_with_token(&stderr) {
        bail!("{} printed a token: {line}", program.display());
    }
    Ok(CommandOutput {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr,
    })
}

/// Finds a program on `PATH`.
///
/// # Errors
///
/// When it is not there; the text says how to install it.
pub(crate) fn find_program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .with_context(|| {
            format!("the program {name:?} is not on PATH; run `make test`, which installs it")
        })
}

fn log_path(folder: &TempDir) -> PathBuf {
    folder.path().join("output.log")
}
