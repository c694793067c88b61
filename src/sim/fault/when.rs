//! When a fault in the worker of a probe shows: `probe=hang@op=conv2d,dtype=f16,height>=44`. What real machines do wrong
//! they do wrong for some shapes, some formats, some environments, and now and then.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a worker is about to do, as far as a condition can ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Situation {
    /// By [`TEXTS`].
    pub texts: BTreeMap<&'static str, String>,
    /// By [`NUMBERS`].
    pub numbers: BTreeMap<&'static str, u64>,
    /// The worker's environment.
    pub env: BTreeMap<String, String>,
}

/// What can be asked for as a text, with `=` and `!=`; a `*` at the end stands for anything.
pub const TEXTS: [&str; 3] = ["op", "dtype", "direction"];

/// What can be asked for as a number, with `=`, `!=`, `<`, `<=`, `>` and `>=`. `start` counts the workers that were
/// started on this host, from 1; `every=3` holds for each third of them.
pub const NUMBERS: [&str; 10] =
    ["batch", "channels", "height", "width", "filters", "kernel", "groups", "elements", "start", EVERY];

const EVERY: &str = "every";

/// Most terms of one condition.
const MOST: usize = 8;

/// A condition: every term holds. None at all always holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct When(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Text { name: &'static str, equal: bool, value: String },
    Variable { name: String, equal: bool, value: String },
    Number { name: &'static str, relation: Relation, value: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Relation {
    /// The longer before those that they begin with.
    const ALL: [(&'static str, Self); 6] = [
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("!=", Self::Unequal),
        ("=", Self::Equal),
        (">", Self::More),
        ("<", Self::Less),
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    const fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl When {
    /// Whether it holds. What a situation has no number for (the height of a sum) makes a term false.
    pub fn holds(&self, situation: &Situation) -> bool {
        self.0.iter().all(|term| match term {
            Term::Text { name, equal, value } => {
                situation.texts.get(name).is_some_and(|text| alike(text, value)) == *equal
            }
            // A variable that is not set is like one that is empty.
            Term::Variable { name, equal, value } => {
                alike(situation.env.get(name).map_or("", String::as_str), value) == *equal
            }
            Term::Number { name: EVERY, value, .. } => {
                situation.numbers.get("start").is_some_and(|start| start.is_multiple_of(*value))
            }
            Term::Number { name, relation, value } => {
                situation.numbers.get(name).is_some_and(|number| relation.holds(*number, *value))
            }
        })
    }

    /// Whether it always holds.
    pub const fn is_always(&self) -> bool {
        self.0.is_empty()
    }
}

fn alike(text: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(text == pattern, |start| text.starts_with(start))
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let terms: Vec<Term> = text.split(',').map(term).collect::<Result<_, _>>()?;
        if terms.len() > MOST { Err(format!("a condition has at most {MOST} terms")) } else { Ok(Self(terms)) }
    }
}

fn term(text: &str) -> Result<Term, String> {
    let split = text.find(['=', '!', '<', '>']).and_then(|at| {
        let (name, rest) = text.split_at(at);
        let found = Relation::ALL.into_iter().find_map(|(sign, relation)| Some((relation, rest.strip_prefix(sign)?)));
        found.map(|(relation, value)| (name, relation, value))
    });
    let Some((name, relation, value)) = split else {
        return Err(format!("{text:?} is no condition like dtype=f16 or height>=44"));
    };
    let equal = match relation {
        Relation::Equal => Some(true),
        Relation::Unequal => Some(false),
        Relation::Less | Relation::AtMost | Relation::More | Relation::AtLeast => None,
    };
    let only = || format!("{name} goes with = and != only");
    if let Some(variable) = name.strip_prefix("env.") {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if variable.is_empty() || !variable.chars().all(plain) {
            return Err(format!("{variable:?} names no environment variable"));
        }
        let equal = equal.ok_or_else(only)?;
        return Ok(Term::Variable { name: variable.to_owned(), equal, value: value.to_owned() });
    }
    if let Some(name) = TEXTS.into_iter().find(|known| *known == name) {
        return Ok(Term::Text { name, equal: equal.ok_or_else(only)?, value: value.to_owned() });
    }
    let known = || [&TEXTS[..], &NUMBERS[..], &["env.NAME"]].concat().join(", ");
    let name = NUMBERS
        .into_iter()
        .find(|known| *known == name)
        .ok_or_else(|| format!("nothing is called {name:?}; there are {}", known()))?;
    let value = value.parse().map_err(|_| format!("{value:?} is no whole number"))?;
    if name == EVERY && (relation != Relation::Equal || value == 0) {
        return Err("written like every=3".to_owned());
    }
    Ok(Term::Number { name, relation, value })
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            let sign = |equal: &bool| if *equal { "=" } else { "!=" };
            match term {
                Term::Text { name, equal, value } => write!(f, "{name}{}{value}", sign(equal))?,
                Term::Variable { name, equal, value } => write!(f, "env.{name}{}{value}", sign(equal))?,
                Term::Number { name, relation, value } => write!(f, "{name}{}{value}", relation.name())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation() -> Situation {
        Situation {
            texts: BTreeMap::from([("op", "conv2d".to_owned()), ("dtype", "f16".to_owned())]),
            numbers: BTreeMap::from([("height", 44), ("start", 6)]),
            env: BTreeMap::from([("MIOPEN_FIND_MODE".to_owned(), "2".to_owned())]),
        }
    }

    #[test]
    fn every_term_must_hold() {
        for (text, holds) in [
            ("op=conv2d", true),
            ("op=conv*", true),
            ("op=matmul", false),
            ("op!=matmul", true),
            ("op=conv2d,dtype=f32", false),
            ("op=conv2d,dtype=f16,height>=44", true),
            ("height>44", false),
            ("height<=44", true),
            ("height!=44", false),
            ("height<45", true),
            ("width>=1", false),
            ("width!=1", false),
            ("direction=forward", false),
            ("direction!=forward", true),
            ("env.MIOPEN_FIND_MODE=2", true),
            ("env.MIOPEN_FIND_MODE!=2", false),
            ("env.HSA_XNACK=", true),
            ("env.HSA_XNACK!=1", true),
            ("start<=5", false),
            ("every=3", true),
            ("every=4", false),
        ] {
            let when: When = text.parse().unwrap();
            assert_eq!(when.holds(&situation()), holds, "{text}");
            assert_eq!(when.to_string(), text);
        }
        assert!(When::default().holds(&Situation::default()));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for (text, part) in [
            ("", "no condition"),
            ("op", "no condition"),
            ("op>conv2d", "goes with = and !="),
            ("tea=1", "there are op, dtype"),
            ("height>=tall", "no whole number"),
            ("height>=-1", "no whole number"),
            ("every=0", "every=3"),
            ("every>3", "every=3"),
            ("env.=1", "no environment variable"),
            ("env.A B=1", "no environment variable"),
            ("start=1,,start=2", "no condition"),
            ("start=1,start=1,start=1,start=1,start=1,start=1,start=1,start=1,start=1", "at most 8"),
        ] {
            let error = text.parse::<When>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
