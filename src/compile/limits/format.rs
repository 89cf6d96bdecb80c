//! Width and precision in format strings that stand in the source.
//!
//! `f'{x:>1000000000}'` is one instruction that asks for a gigabyte. What is put together at run time is the guards'
//! matter; what is written out is refused here, with a place.

use super::{FORMAT_WIDTH, SourceLimits};
use crate::compile::violation::Violation;
use rustpython_ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_interpolated_string_element};
use rustpython_ast::{Expr, InterpolatedStringElement, ModModule, Operator};
use rustpython_text_size::{Ranged, TextSize};

/// Checks the tree, whose depth is within its limit.
pub(crate) fn check(module: &ModModule, limits: &SourceLimits) -> Result<(), Violation> {
    let mut formats = Formats { limits, violation: None };
    formats.visit_body(&module.body);
    formats.violation.map_or(Ok(()), Err)
}

struct Formats<'l> {
    limits: &'l SourceLimits,
    violation: Option<Violation>,
}

impl<'a> SourceOrderVisitor<'a> for Formats<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::BinOp(operation) if operation.op == Operator::Mod => {
                if let Some(text) = constant(&operation.left) {
                    self.check(largest_percent_number(&text), expr.start());
                }
            }
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(attribute) if matches!(attribute.attr.as_str(), "format" | "format_map") => {
                    if let Some(text) = constant(&attribute.value) {
                        self.check(largest_field_number(&text), expr.start());
                    }
                    // The receiver may also be handed over: `str.format('{:>9}', x)`.
                    if let Some(text) = call.arguments.args.first().and_then(constant) {
                        self.check(largest_field_number(&text), expr.start());
                    }
                }
                Expr::Name(name) if name.id.as_str() == "format" => {
                    if let Some(text) = call.arguments.args.get(1).and_then(constant) {
                        self.check(largest_number(&text), expr.start());
                    }
                }
                _ => {}
            },
            _ => {}
        }
        walk_expr(self, expr);
    }

    fn visit_interpolated_string_element(&mut self, element: &'a InterpolatedStringElement) {
        if let InterpolatedStringElement::Interpolation(field) = element
            && let Some(spec) = &field.format_spec
        {
            // Fields between two runs of digits may be empty, so the runs are taken together.
            let text: String = spec.elements.literals().map(|literal| &*literal.value).collect();
            self.check(largest_number(&text), field.start());
        }
        walk_interpolated_string_element(self, element);
    }
}

impl Formats<'_> {
    fn check(&mut self, number: u64, at: TextSize) {
        if self.violation.is_none() {
            self.violation = FORMAT_WIDTH.check(number, self.limits.format_width, at).err();
        }
    }
}

fn constant(expr: &Expr) -> Option<String> {
    match expr {
        Expr::StringLiteral(string) => Some(string.value.to_str().to_owned()),
        Expr::BytesLiteral(bytes) => Some(bytes.value.bytes().map(char::from).collect()),
        _ => None,
    }
}

/// The largest run of digits. Any Unicode digit counts, as in Python's `int()`.
fn largest_number(text: &str) -> u64 {
    let (mut largest, mut current) = (0u64, 0u64);
    for character in text.chars() {
        // A numeric character that is no ASCII digit counts as a nine.
        let digit = character.to_digit(10).map(u64::from).or(character.is_numeric().then_some(9));
        current = digit.map_or(0, |digit| current.saturating_mul(10).saturating_add(digit));
        largest = largest.max(current);
    }
    largest
}

/// The largest number in a `%` directive: flags, width, precision.
fn largest_percent_number(text: &str) -> u64 {
    text.split('%')
        .skip(1)
        .map(|directive| {
            // A mapping key may stand first; what is in it is no number.
            let rest = match directive.strip_prefix('(') {
                Some(key) => key.split_once(')').map_or("", |(_, rest)| rest),
                None => directive,
            };
            let end = rest.find(|c: char| !(c.is_numeric() || "#0- +.*".contains(c))).unwrap_or(rest.len());
            largest_number(&rest[..end])
        })
        .max()
        .unwrap_or(0)
}

/// The largest number after a colon inside braces.
fn largest_field_number(text: &str) -> u64 {
    let mut depth = 0u32;
    let mut spec = String::new();
    let mut largest = 0;
    let mut in_spec = false;
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    largest = largest.max(largest_number(&spec));
                    spec.clear();
                    in_spec = false;
                }
            }
            ':' if depth > 0 => in_spec = true,
            _ if in_spec => spec.push(character),
            _ => {}
        }
    }
    largest.max(largest_number(&spec))
}
