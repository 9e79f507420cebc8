//! The environment variables by which one of our processes tells another what it is to be.

/// Makes a test binary the supervisor.
pub(crate) const SUPERVISE: &str = "ITEST_SUPERVISE";
/// Makes a test binary sweep: the run whose containers are to go.
#[cfg(feature = "docker")]
pub(crate) const SWEEP: &str = "ITEST_SWEEP";
/// Tells a supervisor which engine is behind its tunnel.
#[cfg(feature = "docker")]
pub(crate) const BEHIND: &str = "ITEST_ENGINE_BEHIND_SSH";
