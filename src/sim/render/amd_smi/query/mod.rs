//! What can be asked: one file per subcommand, and the three ways of printing an answer.

pub mod default_table;
pub mod list;
pub mod metric;
pub mod partition;
pub mod static_;
pub mod version;
