//! From the text of a filter to its tree. Tokens first, so that every problem knows its place.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level as Severity, Renderer, Snippet};
use regex::RegexBuilder;
use winnow::combinator::{alt, delimited, eof, opt, peek, preceded, repeat, terminated};
use winnow::error::ContextError;
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, take_till, take_while};

use crate::scenario::{Pattern, nearest};

use super::filter::{Expression, Name, Predicate};

/// Longest expression, in bytes.
const LIMIT: usize = 4096;
/// Deepest nesting of parentheses and `not`.
const DEPTH: usize = 64;
/// Largest compiled regular expression, in bytes.
const REGEX_LIMIT: usize = 1 << 20;

const PREDICATES: [&str; 10] = ["tag", "id", "part", "gfx", "machine", "check", "level", "version", "all", "none"];

/// The expression cannot be read. Shown with the expression and a caret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.render())]
pub struct FilterError {
    text: String,
    span: Range<usize>,
    problem: String,
    help: Option<String>,
}

impl FilterError {
    /// What is wrong, in one line.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    fn render(&self) -> String {
        let title = format!("this filter cannot be read: {}", self.problem);
        let snippet =
            Snippet::source(&self.text).path("-E").annotation(AnnotationKind::Primary.span(self.span.clone()));
        let mut group = Severity::ERROR.primary_title(title).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Severity::HELP.message(help.as_str()));
        }
        Renderer::plain().render(&[group])
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    And,
    Or,
    Not,
    Open,
    Close,
    /// `name(argument)`, the argument trimmed.
    Call {
        name: &'a str,
        argument: &'a str,
    },
    /// A word with no parenthesis after it, or a parenthesis that is not closed.
    Stray(Problem),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Problem {
    NotClosed,
    NoArgument,
    Character,
}

type Input<'a> = LocatingSlice<&'a str>;
type Parsed<T> = winnow::ModalResult<T, ContextError>;

pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    if text.len() > LIMIT {
        return Err(FilterError {
            text: String::new(),
            span: 0..0,
            problem: format!("it is longer than {LIMIT} bytes"),
            help: None,
        });
    }
    let end = text.len()..text.len();
    let tokens = tokens.parse(LocatingSlice::new(text)).map_err(|error| FilterError {
        text: text.to_owned(),
        span: error.char_span(),
        problem: "this is not understood".to_owned(),
        help: None,
    })?;
    let mut reader = Reader { text, tokens: tokens.into_iter().peekable(), end, depth: 0 };
    let expression = reader.or()?;
    match reader.tokens.next() {
        None => Ok(expression),
        Some((Token::Close, span)) => Err(reader.fail(span, "there is no parenthesis to close", None)),
        Some((Token::Stray(problem), span)) => Err(reader.stray(problem, span)),
        Some((Token::And | Token::Or | Token::Not | Token::Open | Token::Call { .. }, span)) => {
            Err(reader.fail(span, "expected `and` or `or` before this", None))
        }
    }
}

fn tokens<'a>(input: &mut Input<'a>) -> Parsed<Vec<(Token<'a>, Range<usize>)>> {
    let space = |input: &mut Input<'a>| take_while(0.., char::is_whitespace).void().parse_next(input);
    terminated(repeat(0.., preceded(space, token.with_span())), (space, eof)).parse_next(input)
}

fn token<'a>(input: &mut Input<'a>) -> Parsed<Token<'a>> {
    alt((
        alt(("&&", "&")).value(Token::And),
        alt(("||", "|")).value(Token::Or),
        "!".value(Token::Not),
        "(".value(Token::Open),
        ")".value(Token::Close),
        call,
        word,
        any.value(Token::Stray(Problem::Character)),
    ))
    .parse_next(input)
}

fn name<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.').parse_next(input)
}

fn call<'a>(input: &mut Input<'a>) -> Parsed<Token<'a>> {
    let name = name.verify(|name: &str| !matches!(name, "and" | "or" | "not")).parse_next(input)?;
    "(".parse_next(input)?;
    // A regular expression may hold parentheses: it ends at its slash.
    let regex = delimited(blank, ("/", regex_body, "/").take(), (blank, peek(")")));
    let argument = opt(terminated(alt((regex, take_till(0.., ')'))), ")")).parse_next(input)?;
    Ok(match argument {
        Some(argument) => Token::Call { name, argument: argument.trim() },
        None => Token::Stray(Problem::NotClosed),
    })
}

fn blank(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

fn regex_body(input: &mut Input<'_>) -> Parsed<()> {
    repeat(0.., alt((("\\", any).void(), take_while(1.., |c| c != '/' && c != '\\').void()))).parse_next(input)
}

fn word<'a>(input: &mut Input<'a>) -> Parsed<Token<'a>> {
    name.map(|word| match word {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        _ => Token::Stray(Problem::NoArgument),
    })
    .parse_next(input)
}

struct Reader<'a, I: Iterator<Item = (Token<'a>, Range<usize>)>> {
    text: &'a str,
    tokens: std::iter::Peekable<I>,
    end: Range<usize>,
    depth: usize,
}

impl<'a, I: Iterator<Item = (Token<'a>, Range<usize>)>> Reader<'a, I> {
    fn or(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.and()?;
        while self.tokens.next_if(|(token, _)| *token == Token::Or).is_some() {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.unary()?;
        while self.tokens.next_if(|(token, _)| *token == Token::And).is_some() {
            left = Expression::And(Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, FilterError> {
        let Some((token, span)) = self.tokens.next() else {
            return Err(self.fail(self.end.clone(), "expected a predicate here", Some(forms())));
        };
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.fail(span, "it is nested too deeply", None));
        }
        let expression = match token {
            Token::Not => Expression::Not(Box::new(self.unary()?)),
            Token::Open => {
                let inner = self.or()?;
                match self.tokens.next() {
                    Some((Token::Close, _)) => inner,
                    Some((Token::Stray(problem), span)) => return Err(self.stray(problem, span)),
                    Some((Token::And | Token::Or | Token::Not | Token::Open | Token::Call { .. }, span)) => {
                        return Err(self.fail(span, "expected `and`, `or` or `)` before this", None));
                    }
                    None => return Err(self.fail(span, "this parenthesis is not closed", None)),
                }
            }
            Token::Call { name, argument } => self.predicate(name, argument, span)?,
            Token::Stray(problem) => return Err(self.stray(problem, span)),
            Token::And | Token::Or | Token::Close => {
                return Err(self.fail(span, "expected a predicate here", Some(forms())));
            }
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn predicate(&self, name: &str, argument: &str, span: Range<usize>) -> Result<Expression, FilterError> {
        let fail = |problem: String| self.fail(span.clone(), problem, None);
        if matches!(name, "all" | "none") && !argument.is_empty() {
            return Err(fail(format!("{name}() takes nothing")));
        }
        if PREDICATES.contains(&name) && !matches!(name, "all" | "none") && argument.is_empty() {
            return Err(fail(format!("{name}() needs a value")));
        }
        let glob = || Pattern::new(argument).map_err(|error| fail(error.to_string()));
        let predicate = match name {
            "all" => return Ok(Expression::All),
            "none" => return Ok(Expression::None),
            "tag" => Predicate::Tag(glob()?),
            "id" => Predicate::Id(name_pattern(argument).map_err(fail)?),
            "part" => Predicate::Part(glob()?),
            "gfx" => Predicate::Gfx(Pattern::gfx(argument).map_err(|error| fail(error.to_string()))?),
            "machine" => Predicate::Machine(glob()?),
            "check" => Predicate::Check(glob()?),
            "level" => Predicate::Level(argument.parse().map_err(|error| fail(format!("{error}")))?),
            "version" => Predicate::Version(argument.parse().map_err(|error| fail(format!("{error}")))?),
            _ => {
                let help = nearest(name, PREDICATES).map_or_else(forms, |near| format!("did you mean `{near}(…)`?"));
                let word = span.start..span.start + name.len();
                return Err(self.fail(word, format!("there is no predicate `{name}`"), Some(help)));
            }
        };
        Ok(Expression::Is(predicate))
    }

    fn stray(&self, problem: Problem, span: Range<usize>) -> FilterError {
        match problem {
            Problem::NotClosed => self.fail(span, "this parenthesis is not closed", None),
            Problem::Character => self.fail(span, "this is not understood", Some(forms())),
            Problem::NoArgument => {
                let word = self.text.get(span.clone()).unwrap_or_default();
                let help = if PREDICATES.contains(&word) {
                    format!("write `{word}(…)`")
                } else {
                    format!("to find it in the id, write `id({word})`")
                };
                self.fail(span, "expected a predicate here", Some(help))
            }
        }
    }

    fn fail(&self, span: Range<usize>, problem: impl Into<String>, help: Option<String>) -> FilterError {
        FilterError { text: self.text.to_owned(), span, problem: problem.into(), help }
    }
}

fn forms() -> String {
    "predicates: tag(…) id(…) part(…) gfx(…) machine(…) check(…) level(…) version(…) all() none()".to_owned()
}

fn name_pattern(argument: &str) -> Result<Name, String> {
    if let Some(body) = argument.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        // The slash needs no escape in the pattern itself; `\/` is accepted by the regex as `/`.
        let regex = RegexBuilder::new(body).size_limit(REGEX_LIMIT).dfa_size_limit(REGEX_LIMIT).build();
        return regex.map(Name::Regex).map_err(|error| {
            let lines = error.to_string();
            let last = lines.lines().last().unwrap_or_default();
            format!("not a regular expression: {}", last.trim_start_matches("error: "))
        });
    }
    if argument.contains(['*', '?', '[', '{']) {
        return Pattern::new(argument).map(Name::Glob).map_err(|error| error.to_string());
    }
    Ok(Name::Contains(argument.to_owned()))
}
