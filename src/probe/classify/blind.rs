//! Texts that were written without a look at the patterns, classified: how many of a class are found (recall), and how
//! many of those that are called so are (precision).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::domain::{Limit, Signal};

/// The worker of every text.
const PID: u32 = 4242;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    text: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: String,
    /// A class, or `none`.
    class: String,
    source: String,
    ended: String,
    #[serde(default)]
    answered: bool,
    #[serde(default)]
    pad: usize,
    collateral: Option<u32>,
    #[serde(default)]
    stderr: String,
    #[serde(default)]
    stdout: String,
    kernel: Option<String>,
    /// What the classifier says instead, with a reason why that is left so.
    #[serde(default)]
    otherwise: Option<(String, String)>,
}

impl Text {
    fn classified(&self) -> Classified {
        let padded = |text: &str| text.replace("{pad}", &"x".repeat(self.pad)).into_bytes();
        classify(&Remains {
            ended: &ended(&self.ended),
            answered: self.answered,
            stderr: &padded(&self.stderr),
            stdout: &padded(&self.stdout),
            kernel: self.kernel.as_deref().map_or(Reading::NotReported, Reading::Value),
            pids: Pids::Known(vec![PID]),
        })
    }
}

fn ended(text: &str) -> Ended {
    match text.split_once(' ') {
        Some(("exit", code)) => Ended::Exited { code: code.parse().unwrap() },
        Some(("signal", signal)) => Ended::Signaled { signal: Signal(signal.parse().unwrap()) },
        _ => match text {
            "deadline" => Ended::TimedOut { limit: Limit::Deadline },
            "flood" => Ended::TimedOut { limit: Limit::Output },
            "unreaped" => Ended::Unreaped,
            other => panic!("no ending: {other}"),
        },
    }
}

/// Texts of a class, texts that are called so, and texts that are both.
#[derive(Default)]
struct Count {
    are: u32,
    called: u32,
    both: u32,
}

fn share(part: u32, whole: u32) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.2}", f64::from(part) / f64::from(whole)) }
}

#[test]
fn texts_written_without_a_look_at_the_patterns_are_classified_as_a_person_would() {
    let File { text: texts } = toml::from_str(include_str!("blind.toml")).unwrap();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut wrong = Vec::new();
    for text in &texts {
        assert!(text.class == "none" || Class::ALL.iter().any(|class| class.name() == text.class), "{}", text.name);
        assert!(!text.source.is_empty());
        let got = text.classified();
        let called = got.class.map_or("none", Class::name);
        counts.entry(text.class.clone()).or_default().are += 1;
        counts.entry(called.to_owned()).or_default().called += 1;
        if called == text.class {
            counts.entry(text.class.clone()).or_default().both += 1;
        }
        let known = text.otherwise.as_ref().map_or(text.class.as_str(), |(instead, _)| instead.as_str());
        if called != known || got.collateral != text.collateral {
            wrong.push(format!(
                "{}: {} ({}), blames {:?}; is {}, {:?}",
                text.name, called, got.id, got.collateral, text.class, text.collateral
            ));
        }
    }
    let all = counts.values().map(|count| count.both).sum::<u32>();
    println!("{:<26} {:>5} {:>9} {:>7}", "class", "texts", "precision", "recall");
    for (class, count) in &counts {
        let (precision, recall) = (share(count.both, count.called), share(count.both, count.are));
        println!("{class:<26} {:>5} {precision:>9} {recall:>7}", count.are);
    }
    println!("{all} of {} are called what they are", texts.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
