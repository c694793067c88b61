//! What gives access to something: by its form, by its label, or as the value of a variable with such a name.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in the place of a secret.
pub(super) const LEFT_OUT: &str = "[left out]";

/// Shortest value that is looked for wherever it stands as a word: shorter ones are what they are only beside their name.
const SHORTEST: usize = 4;

/// Shortest value that is looked for everywhere if it is nothing but digits: fewer are a size or a count as well.
const SHORTEST_NUMBER: usize = 8;

/// Values that say that there is none, or stand in every report.
const COMMON: &[&str] = &["amdgpu", "default", "false", "none", "null", "true", "unknown", "user", "root", LEFT_OUT];

/// Forms of secrets, each with where it is documented. Shorter than the real ones may be: one that was cut off is worth
/// hiding too.
const FORMS: &[(&str, &str)] = &[
    (
        "https://www.rfc-editor.org/rfc/rfc7468#section-10",
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
    ),
    (
        "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{8,}|github_pat_[A-Za-z0-9_]{8,})",
    ),
    ("https://huggingface.co/docs/hub/security-tokens", r"\b(?:hf|api_org)_[A-Za-z0-9]{10,}"),
    (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{8,}\b",
    ),
    (
        "https://docs.gitlab.com/security/tokens/#token-prefixes",
        r"\bgl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat)-[A-Za-z0-9_.-]{8,}",
    ),
    ("https://docs.slack.dev/authentication/tokens/", r"\bx(?:ox[abeoprs]|app)-[A-Za-z0-9-]{8,}"),
    ("https://cloud.google.com/docs/authentication/api-keys", r"\b(?:AIza[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{8,})"),
    ("https://github.com/gitleaks/gitleaks (openai, anthropic)", r"\bsk-[A-Za-z0-9_-]{12,}"),
    ("https://pypi.org/help/#apitoken", r"\bpypi-[A-Za-z0-9_-]{12,}"),
    ("https://docs.npmjs.com/about-access-tokens", r"\bnpm_[A-Za-z0-9]{12,}"),
    ("https://docs.docker.com/security/access-tokens/", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{8,}"),
    // A JSON Web Token begins with `{"` in base64.
    ("https://www.rfc-editor.org/rfc/rfc7519#section-3.1", r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}"),
    // Who has the other half is named by a public key, and by its digest.
    ("https://www.rfc-editor.org/rfc/rfc4253#section-6.6", r"\bAAAA[A-Za-z0-9+/]{28,}=*|\bSHA256:[A-Za-z0-9+/]{20,}=*"),
];

static FORM: LazyLock<Vec<Regex>> =
    LazyLock::new(|| FORMS.iter().filter_map(|(_, pattern)| Regex::new(pattern).ok()).collect());

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        #[allow(clippy::expect_used)]
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("a constant pattern"));
    };
}

/// Last part of a name whose value is a secret, whatever its case.
macro_rules! words {
    () => {
        "(?:token|passw(?:or)?d|passphrase|passcode|secrets?|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key\
         |signing[_-]?key|credentials?|authorization|cookie)"
    };
}

/// A value behind its label: in quotes, also as a shell has quotes within them, or up to the next space. What closes quotes
/// around both stays.
macro_rules! value {
    () => {
        r#"(?:"((?:\\.|[^"\\])*)"|'([^']*(?:'\\''[^']*)*)'|(\S\S*?)(["'][,;)\]}]*(?:\s|$)|\s|$))"#
    };
}

// What comes before the word is bounded: text that is made for it would cost its square otherwise.
pattern!(NAME, concat!("(?i)(?:^|[^a-z0-9])[a-z0-9_.-]{0,64}", words!(), "$|(?-i:[A-Z0-9]_(?:KEY|PAT|AUTH)$)"));
pattern!(
    LABELLED,
    concat!(
        r"(?m)(\b(?:(?i:[a-z0-9_.-]{0,64}",
        words!(),
        r#")|[A-Z0-9_]{1,64}_(?:KEY|PAT|AUTH))["']?[ \t]*[:=][ \t]*)"#,
        value!()
    )
);
// `--token VALUE`
pattern!(OPTION, concat!(r"(?m)((?:^|[\s'\x22])--?(?i:[a-z0-9-]{0,64}", words!(), r")[ \t]+)", value!()));
// Everything up to the end of the line: a scheme has parameters.
pattern!(
    HEADER,
    r#"(?im)(\b(?:authorization|set-cookie|cookie|x-(?:api-key|auth-token))["']?[ \t]*:[ \t]*)([^\r\n]+)"#
);
pattern!(BEARER, r"(?i)(\b(?:bearer|basic)[ \t]+)([A-Za-z0-9._~+/-]{8,}=*)");
// `https://NAME:PASSWORD@host`
pattern!(URL, r#"(\b[A-Za-z][A-Za-z0-9+.-]*://)([^\s/@"']+)(@)"#);

/// Whether what is called so is a secret.
pub(super) fn is_name(name: &str) -> bool {
    NAME.is_match(name)
}

/// The values that a text assigns to names of secrets (`HF_TOKEN=…`).
pub(super) fn assigned(text: &str) -> impl Iterator<Item = String> {
    LABELLED.captures_iter(text).filter(|found| found[1].contains('=')).filter_map(|found| {
        let value = found.get(2).or(found.get(3)).or(found.get(4))?;
        Some(value.as_str().to_owned())
    })
}

/// The spellings in which a value is looked for wherever it stands; none where it is too short, or says nothing.
pub(super) fn spellings(value: &str) -> BTreeSet<String> {
    let value = value.trim();
    let number = value.bytes().all(|byte| byte.is_ascii_digit());
    let least = if number { SHORTEST_NUMBER } else { SHORTEST };
    if value.len() < least || COMMON.contains(&value.to_lowercase().as_str()) {
        return BTreeSet::new();
    }
    let mut all = BTreeSet::from([value.to_owned()]);
    // As a shell takes it, and as JSON has it.
    all.insert(value.replace('\'', r"'\''"));
    all.extend(shlex::try_quote(value).map(|quoted| quoted.trim_matches(['\'', '"']).to_owned()));
    all.extend(serde_json::to_string(value).map(|quoted| quoted.trim_matches('"').to_owned()));
    all.extend(value.lines().map(|line| line.trim().to_owned()).filter(|line| line.len() >= SHORTEST_NUMBER));
    all
}

/// The text without the secrets that a form or a label gives away, and how many there were.
pub(super) fn without(text: &str) -> (String, usize) {
    let mut count = 0;
    let mut text = text.to_owned();
    for form in FORM.iter() {
        let made = form.replace_all(&text, |_: &Captures<'_>| {
            count += 1;
            LEFT_OUT
        });
        text = made.into_owned();
    }
    for pattern in [&*HEADER, &*BEARER] {
        let made = pattern.replace_all(&text, |found: &Captures<'_>| {
            count += usize::from(&found[2] != LEFT_OUT);
            format!("{}{LEFT_OUT}", &found[1])
        });
        text = made.into_owned();
    }
    let made = URL.replace_all(&text, |found: &Captures<'_>| {
        count += 1;
        format!("{}{LEFT_OUT}{}", &found[1], &found[3])
    });
    text = made.into_owned();
    for pattern in [&*LABELLED, &*OPTION] {
        let made = pattern.replace_all(&text, |found: &Captures<'_>| {
            let (value, quote) = match (found.get(2), found.get(3), found.get(4)) {
                (Some(value), _, _) => (value, "\""),
                (None, Some(value), _) => (value, "'"),
                (None, None, Some(value)) => (value, ""),
                (None, None, None) => return found[0].to_owned(),
            };
            // What is left out already, and what is nothing, stays as it is.
            if value.is_empty() || value.as_str().starts_with("[left") {
                return found[0].to_owned();
            }
            count += 1;
            format!("{}{quote}{LEFT_OUT}{quote}{}", &found[1], found.get(5).map_or("", |tail| tail.as_str()))
        });
        text = made.into_owned();
    }
    (text, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_a_pattern_and_has_a_source() {
        assert_eq!(FORM.len(), FORMS.len());
        assert!(FORMS.iter().all(|(source, _)| source.starts_with("https://")));
    }

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in [
            "HF_TOKEN",
            "token",
            "auth-token",
            "AWS_SECRET_ACCESS_KEY",
            "WANDB_API_KEY",
            "apiKey",
            "OPENAI_KEY",
            "password",
            "DB_PASSWD",
            "client_secret",
            "Authorization",
            "accessToken",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in ["HSA_XNACK", "max_tokens", "key", "MIOPEN_FIND_MODE", "PATH", "tokenizer", "keyboard", "PWD"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn secrets_go_and_what_stands_around_them_stays() {
        for (text, expected) in [
            ("export HF_TOKEN='hf_abc'", "export HF_TOKEN='[left out]'"),
            ("x token=abcd1234 y", "x token=[left out] y"),
            (r"A_PASSWORD='it'\''s me' B=1", "A_PASSWORD='[left out]' B=1"),
            ("password=\"unclosed and", "password=[left out] and"),
            ("token=\nnext", "token=\nnext"),
            ("a \"HF_TOKEN=x,y\" b", "a \"HF_TOKEN=[left out]\" b"),
            ("Authorization: Bearer eyJhbGciOiJI.eyJz.sig\nnext", "Authorization: [left out]\nnext"),
            ("curl -H 'bearer abcdefgh1234'", "curl -H 'bearer [left out]'"),
            ("git clone https://me:pa55@github.com/x", "git clone https://[left out]@github.com/x"),
            ("login --password hunter2 --now", "login --password [left out] --now"),
            ("{\"api_key\": \"a\\\"b\", \"n\": 1}", "{\"api_key\": \"[left out]\", \"n\": 1}"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMII\n", "[left out]"),
        ] {
            assert_eq!(without(text).0, expected, "{text}");
            assert_eq!(without(&without(text).0), (expected.to_owned(), without(expected).1), "{text}");
        }
    }

    #[test]
    fn what_a_report_is_about_is_no_secret() {
        for text in [
            "max_tokens=2048, tokenizer=bpe",
            "hsa_status_t hf_x https://github.com/ROCm/MIOpen/issues/2522",
            "key 0x1f of the solver, MIOPEN_FIND_MODE=FAST",
            "basic block 12, keyboard: none",
            "TOKEN=",
        ] {
            assert_eq!(without(text), (text.to_owned(), 0));
        }
    }

    #[test]
    fn a_value_is_looked_for_in_every_spelling_unless_it_may_be_anything() {
        assert!(spellings("it's me!").contains(r"it'\''s me!"));
        assert!(spellings("a\"bcd").contains("a\\\"bcd"));
        for value in ["abc", "1024", "true", ""] {
            assert!(spellings(value).is_empty(), "{value}");
        }
    }

    #[test]
    fn values_are_learnt_where_they_are_assigned() {
        let found: Vec<_> = assigned("--env HF_TOKEN=hf_abc 'A_SECRET=x y' b_password: no").collect();
        assert_eq!(found, ["hf_abc", "x"]);
    }
}
