//! Filter expressions: `tag(memory) and part(MI300X) and not id(/faults/)`.

use regex::Regex;

use crate::domain::CheckId;
use crate::scenario::{Case, Level, Pattern, VersionReq};

use super::filter_parse;
use super::host::matches_part;

pub use super::filter_parse::FilterError;

/// A filter expression that was read.
#[derive(Debug, Clone)]
pub struct Filter(pub(super) Expression);

#[derive(Debug, Clone)]
pub(super) enum Expression {
    All,
    None,
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Is(Predicate),
}

#[derive(Debug, Clone)]
pub(super) enum Predicate {
    Tag(Pattern),
    Id(Name),
    Part(Pattern),
    Gfx(Pattern),
    Machine(Pattern),
    Check(Pattern),
    Level(Level),
    Version(VersionReq),
}

/// How `id()` finds a name.
#[derive(Debug, Clone)]
pub(super) enum Name {
    /// Plain text is found anywhere in it.
    Contains(String),
    /// With `*`, `?`, `[` or `{`, it is matched whole.
    Glob(Pattern),
    /// Between slashes.
    Regex(Regex),
}

impl Filter {
    /// Reads an expression. Predicates: `tag`, `id`, `part`, `gfx`, `machine`, `check`, `level`, `version`, `all`,
    /// `none`; joined by `and` (`&`), `or` (`|`), `not` (`!`) and parentheses; `not` binds tightest, `or` least.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        filter_parse::parse(text).map(Self)
    }

    /// Whether the filter admits this case. `part`, `gfx`, `machine` and `version` are those that the scenario simulates.
    pub fn matches(&self, case: &Case) -> bool {
        self.0.holds(case)
    }

    /// Whether the filter asks about this tag, whatever it makes of the answer.
    pub fn names_tag(&self, tag: &str) -> bool {
        self.0.names_tag(tag)
    }
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl Expression {
    fn holds(&self, case: &Case) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Not(inner) => !inner.holds(case),
            Self::And(left, right) => left.holds(case) && right.holds(case),
            Self::Or(left, right) => left.holds(case) || right.holds(case),
            Self::Is(predicate) => predicate.holds(case),
        }
    }
}

impl Expression {
    fn names_tag(&self, tag: &str) -> bool {
        match self {
            Self::All | Self::None => false,
            Self::Not(inner) => inner.names_tag(tag),
            Self::And(left, right) | Self::Or(left, right) => left.names_tag(tag) || right.names_tag(tag),
            Self::Is(Predicate::Tag(pattern)) => pattern.matches(tag),
            Self::Is(
                Predicate::Id(_)
                | Predicate::Part(_)
                | Predicate::Gfx(_)
                | Predicate::Machine(_)
                | Predicate::Check(_)
                | Predicate::Level(_)
                | Predicate::Version(_),
            ) => false,
        }
    }
}

impl Predicate {
    fn holds(&self, case: &Case) -> bool {
        let machine = &case.simulate.machine;
        match self {
            Self::Tag(pattern) => case.scenario.tags.iter().any(|tag| pattern.matches(tag)),
            Self::Id(name) => name.is_in(&case.id),
            Self::Part(pattern) => machine.part().is_some_and(|part| matches_part(pattern, &part.id)),
            Self::Gfx(pattern) => machine.part().is_some_and(|part| pattern.matches(&part.gfx)),
            Self::Machine(pattern) => pattern.matches(machine.name()),
            Self::Check(pattern) => {
                case.checks.iter().map(|check| check.spec.id()).any(|id: CheckId| pattern.matches(id.id()))
            }
            Self::Level(level) => case.scenario.level == *level,
            Self::Version(range) => range.matches(case.simulate.amd_smi),
        }
    }
}

impl Name {
    fn is_in(&self, id: &str) -> bool {
        match self {
            Self::Contains(text) => id.contains(text.as_str()),
            Self::Glob(pattern) => pattern.matches(id),
            Self::Regex(regex) => regex.is_match(id),
        }
    }
}
