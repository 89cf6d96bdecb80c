//! The text and its tokens, before the parser sees them.
//!
//! The parser itself grows its stack as it needs; but the tree that it builds is walked and dropped by recursion. So its
//! depth is bounded here, from the tokens alone. Brackets that do not match are refused here as well, because in what
//! follows one the parser guesses, and no bound taken from the tokens would hold.

use super::{BRACKETS, BYTES, INDENTATION, INT_DIGITS, STRING_BYTES, SourceLimits, TOKENS};
use crate::compile::names;
use crate::compile::violation::Violation;
use rustpython_ast::token::{TokenKind, Tokens};
use rustpython_parser::{Mode, lexer::lex};
use rustpython_text_size::{Ranged, TextSize};

/// Why a text does not go to the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Violation(Violation),
    Syntax { message: String, at: TextSize },
}

/// Checks the text and its tokens.
pub(crate) fn check(source: &str, limits: &SourceLimits) -> Result<(), Refused> {
    // Offsets are of 32 bits in the parser, so that is a bound even for a host that lifts the limit.
    let bytes = u64::try_from(source.len()).unwrap_or(u64::MAX);
    BYTES.check(bytes, limits.bytes.min(MAX_BYTES), TextSize::new(0)).map_err(Refused::Violation)?;
    // The lexer takes NUL for the end of the source.
    if let Some(at) = source.find('\0') {
        return Err(Refused::Violation(Violation::new(
            "nul-character",
            "a NUL character",
            "remove it; in a string write \\0",
            offset(at),
        )));
    }
    // Inside unclosed brackets the parser may read indentation that the lexer alone does not. A line's indentation in
    // columns bounds it in every case.
    let indentation = limits.indentation.min(MAX_INDENTATION);
    let columns = indentation.saturating_mul(COLUMNS_PER_LEVEL);
    let mut start = 0;
    for line in source.split(['\n', '\r']) {
        let indented = line.len() - line.trim_start_matches([' ', '\t', '\x0c']).len();
        if indented as u64 > columns {
            let level = (indented as u64).div_ceil(COLUMNS_PER_LEVEL);
            INDENTATION.check(level, indentation, offset(start)).map_err(Refused::Violation)?;
        }
        start += line.len() + 1;
    }
    let Some(problem) = scan(source, limits) else { return Ok(()) };
    // The lexer tells kinds and no places. The shortest beginning of the source that has the same problem ends where
    // the problem is.
    let at = offset(locate(source, |text| scan(text, limits).is_some_and(|found| found.same_kind(&problem))));
    Err(match problem {
        Problem::Tokens(count) => over(&TOKENS, count, limits.tokens, at),
        Problem::Brackets(count) => over(&BRACKETS, count, limits.brackets, at),
        Problem::Indentation(count) => over(&INDENTATION, count, indentation, at),
        Problem::Chain => Refused::Violation(Violation::new(
            "limit-chain",
            format!("one expression of more than {MAX_CHAIN} operators, calls and attributes"),
            "use variables for its parts; join many strings with join()",
            at,
        )),
        Problem::Closer(closer) => {
            Refused::Syntax { message: format!("closing bracket '{closer}' does not match any open one"), at }
        }
        // A beginning of the source leaves brackets open almost everywhere, so the place is found another way.
        Problem::Unclosed(index) => {
            Refused::Syntax { message: "a bracket was never closed".to_owned(), at: opener(source, index) }
        }
    })
}

/// Checks what the tokens' text tells, after the parse and before the compiler works on it.
pub(crate) fn check_literals(source: &str, tokens: &Tokens, limits: &SourceLimits) -> Result<(), Violation> {
    for token in tokens.iter() {
        let text = source.get(token.range().to_std_range()).unwrap_or_default();
        match token.kind() {
            TokenKind::Int => {
                let digits = text.bytes().filter(u8::is_ascii_alphanumeric).count() as u64;
                INT_DIGITS.check(digits, limits.int_digits, token.start())?;
            }
            // The tree has names as Python folds them, so how they were spelled is judged here.
            TokenKind::Name => {
                names::spelling(text).map_err(|rule| {
                    Violation::new(rule.rule, format!("the name '{text}'"), rule.advice, token.start())
                })?;
            }
            TokenKind::String | TokenKind::FStringMiddle => {
                STRING_BYTES.check(text.len() as u64, limits.string_bytes, token.start())?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The most bytes whatever the limits say: a tree of them stays within the parser's 32-bit offsets with room to spare.
const MAX_BYTES: u64 = 1 << 30;

/// The most levels of indentation whatever the limits say, as in CPython. Together with [`MAX_CHAIN`] it bounds the depth
/// of every tree.
const MAX_INDENTATION: u64 = 100;

/// Columns that a level of indentation may take before a line counts as too deep by its columns alone.
const COLUMNS_PER_LEVEL: u64 = 32;

/// Most tokens that may each wrap what came before, summed over the open brackets. The tree gets no deeper than about
/// this, and dropping a tree of this depth fits a stack of 2 MiB many times over.
const MAX_CHAIN: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Tokens(u64),
    Brackets(u64),
    Indentation(u64),
    Chain,
    Closer(char),
    /// The opening bracket's number among all opening brackets.
    Unclosed(usize),
}

impl Problem {
    fn same_kind(&self, other: &Problem) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A bracket that is open.
struct Open {
    kind: TokenKind,
    index: usize,
    /// Tokens since the last reset that may each put what came before one level deeper.
    chain: u32,
    /// Whether a keyword was seen after which a comma does not start afresh, such as `lambda a, b: ...`.
    sticky: bool,
}

impl Open {
    fn new(kind: TokenKind, index: usize) -> Open {
        Open { kind, index, chain: 0, sticky: false }
    }
}

fn scan(source: &str, limits: &SourceLimits) -> Option<Problem> {
    let mut lexer = lex(source, Mode::Module);
    let mut tokens = 0u64;
    let mut indentation = 0u64;
    let mut openers = 0usize;
    // The sum of `chain` over `open`, kept so that each token is one step.
    let mut chain = 0u32;
    let mut open = vec![Open::new(TokenKind::EndOfFile, 0)];
    loop {
        let kind = lexer.next_token();
        if kind == TokenKind::EndOfFile {
            break;
        }
        tokens += 1;
        if tokens > limits.tokens {
            // The whole count is worth knowing, and lexing is linear in the bytes, which are limited.
            while lexer.next_token() != TokenKind::EndOfFile {
                tokens += 1;
            }
            return Some(Problem::Tokens(tokens));
        }
        let depth = open.len() as u64 - 1;
        let level = open.last_mut()?;
        match kind {
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                if depth + 1 > limits.brackets {
                    return Some(Problem::Brackets(depth + 1));
                }
                level.chain += 1;
                chain += 1;
                openers += 1;
                open.push(Open::new(kind, openers));
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::FStringEnd | TokenKind::TStringEnd => {
                if level.kind != opener_of(kind) {
                    return Some(Problem::Closer(character(kind)));
                }
                chain -= level.chain;
                open.pop();
            }
            TokenKind::Newline => {
                chain -= level.chain;
                *level = Open::new(level.kind, level.index);
            }
            TokenKind::Comma | TokenKind::Semi => {
                if !level.sticky && (kind == TokenKind::Semi || depth > 0) {
                    chain -= level.chain;
                    level.chain = 0;
                }
            }
            TokenKind::Indent => {
                indentation += 1;
                if indentation > limits.indentation.min(MAX_INDENTATION) {
                    return Some(Problem::Indentation(indentation));
                }
            }
            TokenKind::Dedent => indentation = indentation.saturating_sub(1),
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Ellipsis
            | TokenKind::True
            | TokenKind::False
            | TokenKind::None
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::Colon => {}
            _ => {
                level.chain += 1;
                chain += 1;
                level.sticky |= !matches!(
                    kind,
                    TokenKind::And
                        | TokenKind::Or
                        | TokenKind::Not
                        | TokenKind::In
                        | TokenKind::Is
                        | TokenKind::Await
                        // Names in most places, and harmless as keywords within brackets.
                        | TokenKind::Case
                        | TokenKind::Lazy
                        | TokenKind::Match
                        | TokenKind::Type
                ) && kind.is_keyword();
            }
        }
        if chain > MAX_CHAIN {
            return Some(Problem::Chain);
        }
    }
    (open.len() > 1).then(|| Problem::Unclosed(open[1].index))
}

fn opener_of(closer: TokenKind) -> TokenKind {
    match closer {
        TokenKind::Rpar => TokenKind::Lpar,
        TokenKind::Rsqb => TokenKind::Lsqb,
        TokenKind::Rbrace => TokenKind::Lbrace,
        TokenKind::FStringEnd => TokenKind::FStringStart,
        _ => TokenKind::TStringStart,
    }
}

fn character(closer: TokenKind) -> char {
    match closer {
        TokenKind::Rpar => ')',
        TokenKind::Rsqb => ']',
        TokenKind::Rbrace => '}',
        _ => '"',
    }
}

/// The last character of the shortest beginning of the text for which the test holds. Where the test is not monotonous,
/// some place at which it begins to hold.
fn locate(source: &str, holds: impl Fn(&str) -> bool) -> usize {
    let starts: Vec<usize> = source.char_indices().map(|(start, _)| start).collect();
    let end_of = |index: usize| starts.get(index + 1).copied().unwrap_or(source.len());
    let indices: Vec<usize> = (0..starts.len()).collect();
    let found = indices.partition_point(|&index| !holds(&source[..end_of(index)]));
    starts.get(found).copied().unwrap_or(source.len())
}

/// Where the opening bracket of this number is.
fn opener(source: &str, index: usize) -> TextSize {
    let openers = |text: &str| {
        let mut lexer = lex(text, Mode::Module);
        let mut count = 0;
        loop {
            match lexer.next_token() {
                TokenKind::EndOfFile => return count,
                TokenKind::Lpar
                | TokenKind::Lsqb
                | TokenKind::Lbrace
                | TokenKind::FStringStart
                | TokenKind::TStringStart => count += 1,
                _ => {}
            }
        }
    };
    offset(locate(source, |text| openers(text) >= index))
}

fn over(rule: &'static super::LimitRule, value: u64, max: u64, at: TextSize) -> Refused {
    match rule.check(value, max, at) {
        Err(violation) => Refused::Violation(violation),
        // The scan reports only values over the limit.
        Ok(()) => Refused::Syntax { message: "invalid syntax".to_owned(), at },
    }
}

fn offset(bytes: usize) -> TextSize {
    TextSize::new(u32::try_from(bytes).unwrap_or(u32::MAX))
}
