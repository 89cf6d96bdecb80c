//! Patterns from text to trees, with CPython's messages and positions.

use super::escapes::{self, Escape, Groups};
use super::flags::{self, Change, Flags, Written};
use super::set::{Category, Items};
use super::tokens::{Name, Token, Tokens};
use super::tree::{Mode, NO_END, Node, Place};
use rustpython_vm::PyResult;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyStrRef};
use std::collections::HashMap;

/// How deep groups may nest.
const MOST_NESTED: u32 = 200;

/// A pattern that was read.
pub(super) struct Pattern {
    pub tree: Node,
    pub flags: Flags,
    /// Groups, without the whole.
    pub groups: u32,
    pub names: Vec<(PyStrRef, u32)>,
}

pub(super) fn parse(tokens: &mut Tokens<'_>, flags: u32) -> PyResult<Pattern> {
    tokens.peek()?;
    let mut parser = Parser {
        tokens,
        flags: Flags(flags),
        names: Vec::new(),
        known: HashMap::new(),
        widths: vec![None],
        behind: None,
        referred: Vec::new(),
    };
    let tree = parser.either(parser.flags, 0)?;
    let flags = parser.flags.completed(parser.tokens.text, parser.tokens.vm)?;
    if parser.tokens.peek()?.is_some() {
        return Err(parser.tokens.error("unbalanced parenthesis", 0));
    }
    let groups = parser.widths.len() as u32;
    for (group, position) in &parser.referred {
        if *group >= groups {
            return Err(parser.tokens.error_at(&format!("invalid group reference {group}"), *position));
        }
    }
    Ok(Pattern { tree, flags, groups: groups - 1, names: parser.names })
}

struct Parser<'a, 'vm> {
    tokens: &'a mut Tokens<'vm>,
    flags: Flags,
    names: Vec<(PyStrRef, u32)>,
    known: HashMap<Vec<u8>, u32>,
    /// Of each group, once it is closed.
    widths: Vec<Option<(u64, u64)>>,
    /// Within an assertion that looks back: how many groups there were before it.
    behind: Option<u32>,
    /// Groups that conditions ask for, and where.
    referred: Vec<(u32, usize)>,
}

struct Closed<'a> {
    widths: &'a [Option<(u64, u64)>],
    behind: Option<u32>,
}

impl Groups for Closed<'_> {
    fn refer(&self, group: u32, length: usize, tokens: &Tokens<'_>) -> PyResult<u32> {
        match self.widths.get(group as usize) {
            None => Err(tokens.error(&format!("invalid group reference {group}"), length - 1)),
            Some(None) => Err(tokens.error("cannot refer to an open group", length)),
            Some(Some(_)) => {
                look_back(group, self, tokens)?;
                Ok(group)
            }
        }
    }
}

/// What looks back may refer to groups before it only.
fn look_back(group: u32, closed: &Closed<'_>, tokens: &Tokens<'_>) -> PyResult<()> {
    let Some(before) = closed.behind else { return Ok(()) };
    if !matches!(closed.widths.get(group as usize), Some(Some(_))) {
        return Err(tokens.error("cannot refer to an open group", 0));
    }
    if group >= before {
        return Err(tokens.error("cannot refer to group defined in the same lookbehind subpattern", 0));
    }
    Ok(())
}

impl Parser<'_, '_> {
    /// `a|b|c`.
    fn either(&mut self, mut flags: Flags, nested: u32) -> PyResult<Node> {
        if nested > MOST_NESTED {
            return Err(self.tokens.error("pattern is nested too deeply", 0));
        }
        let mut branches = vec![self.sequence(&mut flags, nested, nested == 0)?];
        while self.tokens.takes('|')? {
            branches.push(self.sequence(&mut flags, nested, false)?);
        }
        Ok(match branches.pop() {
            Some(only) if branches.is_empty() => only,
            Some(last) => {
                branches.push(last);
                Node::Either(branches)
            }
            None => Node::Empty,
        })
    }

    /// Items one after the other, up to `|`, `)` or the end. `first` where flags for everything may stand.
    fn sequence(&mut self, flags: &mut Flags, nested: u32, first: bool) -> PyResult<Node> {
        let mut items: Vec<Node> = Vec::new();
        let text = self.tokens.text;
        while let Some(token) = self.tokens.peek()? {
            if token.is('|') || token.is(')') {
                break;
            }
            self.tokens.get()?;
            if flags.has(Flags::VERBOSE) && self.skips(token)? {
                continue;
            }
            let fold = flags.fold(text);
            match token {
                Token::Escaped(c) => {
                    let closed = Closed { widths: &self.widths, behind: self.behind };
                    let unicode = flags.unicode(text);
                    items.push(match escapes::outside(c, unicode, &closed, self.tokens)? {
                        Escape::Char(c) => Node::Char { c, fold },
                        Escape::Category(category) => {
                            let categories = vec![category];
                            Node::Set { items: Items { categories, ..Items::default() }, fold }
                        }
                        Escape::Place(place) => Node::At(place),
                        Escape::Group(group) => Node::Again { group, fold },
                    });
                }
                Token::Plain(c) => match char::from_u32(c) {
                    Some('[') => items.push(self.set(*flags)?),
                    Some(mark @ ('*' | '+' | '?' | '{')) => self.repeat(mark, &mut items, *flags)?,
                    Some('.') => items.push(Node::Any { all: flags.has(Flags::DOTALL) }),
                    Some('^') if flags.has(Flags::MULTILINE) => items.push(Node::At(Place::LineBeginning)),
                    Some('^') => items.push(Node::At(Place::Beginning)),
                    Some('$') if flags.has(Flags::MULTILINE) => items.push(Node::At(Place::LineEnd)),
                    Some('$') => items.push(Node::At(Place::End)),
                    Some('(') => {
                        if let Some(node) = self.group(flags, nested, first && items.is_empty())? {
                            items.push(node);
                        }
                    }
                    _ => items.push(Node::Char { c, fold }),
                },
            }
        }
        Ok(match items.pop() {
            None => Node::Empty,
            Some(only) if items.is_empty() => only,
            Some(last) => {
                items.push(last);
                Node::Sequence(items)
            }
        })
    }

    /// Blanks and comments of a verbose pattern.
    fn skips(&mut self, token: Token) -> PyResult<bool> {
        match token.plain() {
            Some(' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}') => Ok(true),
            Some('#') => {
                while let Some(token) = self.tokens.get()? {
                    if token.is('\n') {
                        break;
                    }
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// What stands in brackets, of which the first was taken.
    fn set(&mut self, flags: Flags) -> PyResult<Node> {
        let unicode = flags.unicode(self.tokens.text);
        let here = self.tokens.tell() - 1;
        let unterminated = |tokens: &Tokens<'_>| Err(tokens.error("unterminated character set", tokens.tell() - here));
        let mut items = Items { negated: self.tokens.takes('^')?, ..Items::default() };
        let mut empty = true;
        loop {
            let Some(token) = self.tokens.get()? else { return unterminated(self.tokens) };
            if token.is(']') && !empty {
                break;
            }
            empty = false;
            let (low, from) = self.set_item(token, unicode)?;
            if !self.tokens.takes('-')? {
                self.add(low, &mut items);
                continue;
            }
            let Some(other) = self.tokens.get()? else { return unterminated(self.tokens) };
            if other.is(']') {
                self.add(low, &mut items);
                items.ranges.push((u32::from(b'-'), u32::from(b'-')));
                break;
            }
            let (high, to) = self.set_item(other, unicode)?;
            match (low, high) {
                (Item::Char(low), Item::Char(high)) if low <= high => items.ranges.push((low, high)),
                _ => {
                    // The escapes' letters alone, as CPython counts.
                    let (from, to) = (from.written(), to.written());
                    let length = from.chars().count() + 1 + to.chars().count();
                    return Err(self.tokens.error(&format!("bad character range {from}-{to}"), length));
                }
            }
        }
        Ok(Node::Set { items, fold: flags.fold(self.tokens.text) })
    }

    fn set_item(&mut self, token: Token, unicode: bool) -> PyResult<(Item, Token)> {
        let item = match token {
            Token::Plain(c) => Item::Char(c),
            Token::Escaped(c) => match escapes::inside(c, unicode, self.tokens)? {
                Escape::Category(category) => Item::Category(category),
                Escape::Char(c) => Item::Char(c),
                // There are none between brackets.
                Escape::Place(_) | Escape::Group(_) => Item::Char(escapes::literal(token)),
            },
        };
        Ok((item, token))
    }

    #[allow(clippy::unused_self, reason = "it is read as one of the parser's steps")]
    fn add(&self, item: Item, items: &mut Items) {
        match item {
            Item::Char(c) => items.ranges.push((c, c)),
            Item::Category(category) if items.categories.contains(&category) => {}
            Item::Category(category) => items.categories.push(category),
        }
    }

    /// A quantifier, of which the first character was taken.
    fn repeat(&mut self, mark: char, items: &mut Vec<Node>, flags: Flags) -> PyResult<()> {
        let here = self.tokens.tell();
        let bounds = match mark {
            '?' => Some((0, 1)),
            '*' => Some((0, NO_END)),
            '+' => Some((1, NO_END)),
            _ => self.bounds(here)?,
        };
        let Some((least, most)) = bounds else {
            self.tokens.seek(here);
            items.push(Node::Char { c: mark as u32, fold: flags.fold(self.tokens.text) });
            return Ok(());
        };
        let start = self.tokens.tell() - here + 1;
        let item = match items.pop() {
            None | Some(Node::At(_)) => return Err(self.tokens.error("nothing to repeat", start)),
            Some(Node::Repeat { .. }) => return Err(self.tokens.error("multiple repeat", start)),
            Some(item) => item,
        };
        let mode = if self.tokens.takes('?')? {
            Mode::Lazy
        } else if self.tokens.takes('+')? {
            Mode::Possessive
        } else {
            Mode::Greedy
        };
        items.push(Node::Repeat { least, most, mode, body: Box::new(item) });
        Ok(())
    }

    /// `{2,3}` and the like, of which the brace was taken. `None` for what only looks like it.
    fn bounds(&mut self, here: usize) -> PyResult<Option<(u32, u32)>> {
        if self.tokens.next_is('}')? {
            return Ok(None);
        }
        let digits = |tokens: &mut Tokens<'_>| tokens.get_while(usize::MAX, |c| c.is_ascii_digit());
        let low = digits(self.tokens)?;
        let high = if self.tokens.takes(',')? { digits(self.tokens)? } else { low.clone() };
        if !self.tokens.takes('}')? {
            return Ok(None);
        }
        let number = |digits: &str, none: u32| -> PyResult<u32> {
            if digits.is_empty() {
                return Ok(none);
            }
            match digits.parse::<u32>() {
                Ok(number) if number < NO_END => Ok(number),
                _ => Err(self.tokens.vm.new_overflow_error("the repetition number is too large")),
            }
        };
        let (least, most) = (number(&low, 0)?, number(&high, NO_END)?);
        if most < least {
            let length = self.tokens.tell() - here;
            return Err(self.tokens.error("min repeat greater than max repeat", length));
        }
        Ok(Some((least, most)))
    }

    /// A group, of which the parenthesis was taken. `None` for a comment, and for flags.
    fn group(&mut self, flags: &mut Flags, nested: u32, first: bool) -> PyResult<Option<Node>> {
        let start = self.tokens.tell() - 1;
        let mut change = Change::default();
        let mut kind = Kind::Capturing(None);
        if self.tokens.takes('?')? {
            let Some(token) = self.tokens.get()? else {
                return Err(self.tokens.error("unexpected end of pattern", 0));
            };
            match token.plain() {
                Some('P') => match self.named(flags.fold(self.tokens.text))? {
                    Named::Group(name) => kind = Kind::Capturing(Some(name)),
                    Named::Again(node) => return Ok(Some(node)),
                },
                Some(':') => kind = Kind::Plain,
                Some('>') => kind = Kind::Atomic,
                Some('#') => return self.comment(start).map(|()| None),
                Some(way @ ('=' | '!' | '<')) => return self.look(way, *flags, nested, start).map(Some),
                Some('(') => return self.condition(*flags, nested, start).map(Some),
                Some(c) if c == '-' || flags::flag(c).is_some() => match flags::read(c, self.tokens)? {
                    Written::Everything(added) => {
                        if !first {
                            let message = "global flags not at the start of the expression";
                            return Err(self.tokens.error(message, self.tokens.tell() - start));
                        }
                        self.flags = Flags(self.flags.0 | added);
                        *flags = self.flags;
                        return Ok(None);
                    }
                    Written::Group(written) => (kind, change) = (Kind::Plain, written),
                },
                _ => {
                    let written = token.written();
                    let length = written.chars().count() + 1;
                    return Err(self.tokens.error(&format!("unknown extension ?{written}"), length));
                }
            }
        }
        let index = match &kind {
            Kind::Capturing(name) => Some(self.open(name.as_ref())?),
            _ => None,
        };
        let body = self.either(flags.changed(change), nested + 1)?;
        self.close(start)?;
        if let Some(index) = index {
            let width = body.width(&self.widths);
            if let Some(place) = self.widths.get_mut(index as usize) {
                *place = Some(width);
            }
        }
        let body = Box::new(body);
        Ok(Some(if matches!(kind, Kind::Atomic) { Node::Atomic(body) } else { Node::Group { index, body } }))
    }

    fn close(&mut self, start: usize) -> PyResult<()> {
        if self.tokens.takes(')')? {
            return Ok(());
        }
        Err(self.tokens.error("missing ), unterminated subpattern", self.tokens.tell() - start))
    }

    fn open(&mut self, name: Option<&Name>) -> PyResult<u32> {
        let index = self.widths.len() as u32;
        self.widths.push(None);
        if let Some(name) = name {
            let vm = self.tokens.vm;
            let text = name.text(vm);
            if let Some(before) = self.known.insert(text.as_bytes().to_vec(), index) {
                let shown = name.shown(vm)?;
                let message = format!("redefinition of group name {shown} as group {index}; was group {before}");
                return Err(self.tokens.error(&message, name.length + 1));
            }
            self.names.push((text, index));
        }
        Ok(index)
    }

    /// After `(?P`.
    fn named(&mut self, fold: super::set::Fold) -> PyResult<Named> {
        if self.tokens.takes('<')? {
            let name = self.tokens.get_until('>', "group name")?;
            self.check_name(&name)?;
            return Ok(Named::Group(name));
        }
        if self.tokens.takes('=')? {
            let name = self.tokens.get_until(')', "group name")?;
            self.check_name(&name)?;
            let group = self.group_called(&name)?;
            let closed = Closed { widths: &self.widths, behind: self.behind };
            if !matches!(self.widths.get(group as usize), Some(Some(_))) {
                return Err(self.tokens.error("cannot refer to an open group", name.length + 1));
            }
            look_back(group, &closed, self.tokens)?;
            return Ok(Named::Again(Node::Again { group, fold }));
        }
        let Some(token) = self.tokens.get()? else {
            return Err(self.tokens.error("unexpected end of pattern", 0));
        };
        let written = token.written();
        let length = written.chars().count() + 2;
        Err(self.tokens.error(&format!("unknown extension ?P{written}"), length))
    }

    fn check_name(&self, name: &Name) -> PyResult<()> {
        if name.is_identifier() {
            return Ok(());
        }
        Err(self.bad_name(name))
    }

    #[cold]
    fn bad_name(&self, name: &Name) -> PyBaseExceptionRef {
        match name.shown(self.tokens.vm) {
            Ok(shown) => self.tokens.error(&format!("bad character in group name {shown}"), name.length + 1),
            Err(error) => error,
        }
    }

    fn group_called(&self, name: &Name) -> PyResult<u32> {
        let vm = self.tokens.vm;
        match self.known.get(name.text(vm).as_bytes()) {
            Some(group) => Ok(*group),
            None => {
                let shown = name.shown(vm)?;
                Err(self.tokens.error(&format!("unknown group name {shown}"), name.length + 1))
            }
        }
    }

    fn comment(&mut self, start: usize) -> PyResult<()> {
        loop {
            match self.tokens.get()? {
                None => {
                    let length = self.tokens.tell() - start;
                    return Err(self.tokens.error("missing ), unterminated comment", length));
                }
                Some(token) if token.is(')') => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// An assertion that looks ahead or back.
    fn look(&mut self, way: char, flags: Flags, nested: u32, start: usize) -> PyResult<Node> {
        let mut sign = way;
        let before = self.behind;
        if way == '<' {
            let Some(token) = self.tokens.get()? else {
                return Err(self.tokens.error("unexpected end of pattern", 0));
            };
            sign = match token.plain() {
                Some(sign @ ('=' | '!')) => sign,
                _ => {
                    let written = token.written();
                    let length = written.chars().count() + 2;
                    return Err(self.tokens.error(&format!("unknown extension ?<{written}"), length));
                }
            };
            self.behind = Some(before.unwrap_or(self.widths.len() as u32));
        }
        let body = self.either(flags, nested + 1)?;
        self.behind = before;
        self.close(start)?;
        let behind = if way == '<' {
            let (least, most) = body.width(&self.widths);
            match u32::try_from(least) {
                Ok(width) if least == most => Some(width),
                _ => return Err(self.plain_error("look-behind requires fixed-width pattern")),
            }
        } else {
            None
        };
        Ok(Node::Look { behind, negated: sign == '!', body: Box::new(body) })
    }

    /// `(?(1)yes|no)`, of which `(?(` was taken.
    fn condition(&mut self, flags: Flags, nested: u32, start: usize) -> PyResult<Node> {
        if nested >= MOST_NESTED {
            return Err(self.tokens.error("pattern is nested too deeply", 0));
        }
        let name = self.tokens.get_until(')', "group name")?;
        let group = if name.is_identifier() {
            self.group_called(&name)?
        } else {
            let Some(group) = name.number() else { return Err(self.bad_name(&name)) };
            if group == 0 {
                return Err(self.tokens.error("bad group number", name.length + 1));
            }
            let position = self.tokens.tell() - name.length - 1;
            if group >= 1 << 30 {
                return Err(self.tokens.error_at(&format!("invalid group reference {group}"), position));
            }
            self.referred.push((group, position));
            group
        };
        look_back(group, &Closed { widths: &self.widths, behind: self.behind }, self.tokens)?;
        let mut inner = flags;
        let yes = self.sequence(&mut inner, nested + 1, false)?;
        let no = if self.tokens.takes('|')? {
            let no = self.sequence(&mut inner, nested + 1, false)?;
            if self.tokens.next_is('|')? {
                return Err(self.tokens.error("conditional backref with more than two branches", 0));
            }
            no
        } else {
            Node::Empty
        };
        self.close(start)?;
        Ok(Node::If { group, yes: Box::new(yes), no: Box::new(no) })
    }

    /// An error that CPython finds only when it compiles, and gives no position.
    #[cold]
    fn plain_error(&self, message: &str) -> PyBaseExceptionRef {
        self.tokens.error_without_place(message)
    }
}

enum Kind {
    Capturing(Option<Name>),
    Plain,
    Atomic,
}

enum Named {
    Group(Name),
    Again(Node),
}

#[derive(Clone, Copy)]
enum Item {
    Char(u32),
    Category(Category),
}
