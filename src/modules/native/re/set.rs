//! Sets of characters, and how letters are compared.

use rustpython_unicode::{case, classify};

/// How upper and lower case are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// They are.
    Exact,
    /// ASCII letters are the same in both.
    Ascii,
    /// All letters are the same in both.
    Unicode,
}

impl Fold {
    pub(super) fn lower(self, c: u32) -> u32 {
        match self {
            Fold::Exact => c,
            _ if c < 0x80 => u32::from((c as u8).to_ascii_lowercase()),
            Fold::Ascii => c,
            Fold::Unicode => char::from_u32(c).map_or(c, |c| case::simple_lowercase(c) as u32),
        }
    }
}

/// `\d`, `\s`, `\w`, and what is none of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Category {
    pub kind: Kind,
    pub negated: bool,
    pub unicode: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Digit,
    Space,
    Word,
}

impl Category {
    fn contains(self, c: u32) -> bool {
        let within = match self.kind {
            Kind::Digit => is_digit(c, self.unicode),
            Kind::Space => is_space(c, self.unicode),
            Kind::Word => is_word(c, self.unicode),
        };
        within != self.negated
    }
}

/// `\w`.
pub(super) fn is_word(c: u32, unicode: bool) -> bool {
    if c < 0x80 {
        return c == u32::from(b'_') || (c as u8).is_ascii_alphanumeric();
    }
    unicode && char::from_u32(c).is_some_and(classify::is_alnum)
}

fn is_digit(c: u32, unicode: bool) -> bool {
    if c < 0x80 {
        return (c as u8).is_ascii_digit();
    }
    unicode && char::from_u32(c).is_some_and(classify::is_decimal)
}

fn is_space(c: u32, unicode: bool) -> bool {
    if c < 0x80 {
        return matches!(c, 0x09..=0x0d | 0x20) || unicode && matches!(c, 0x1c..=0x1f);
    }
    unicode && char::from_u32(c).is_some_and(classify::is_space)
}

/// What is written between brackets.
#[derive(Clone, Debug, Default)]
pub(super) struct Items {
    pub ranges: Vec<(u32, u32)>,
    pub categories: Vec<Category>,
    pub negated: bool,
}

/// A set of characters, ready to be asked.
#[derive(Debug)]
pub(super) struct Set {
    /// For the first 256.
    low: [u64; 4],
    /// Sorted, without overlaps.
    ranges: Box<[(u32, u32)]>,
    categories: Box<[Category]>,
    fold: Fold,
    negated: bool,
}

impl Set {
    pub(super) fn new(items: Items, fold: Fold) -> Set {
        let Items { mut ranges, mut categories, negated } = items;
        if fold != Fold::Exact {
            // What is lower case of a letter is looked for. Long ranges hold it by themselves.
            let short = ranges.iter().filter(|(low, high)| high - low < 64);
            let lower: Vec<u32> = short.flat_map(|&(low, high)| low..=high).map(|c| fold.lower(c)).collect();
            ranges.extend(lower.into_iter().map(|c| (c, c)));
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        categories.dedup();
        let mut set = Set { low: [0; 4], ranges: merged.into(), categories: categories.into(), fold, negated };
        for c in 0..256 {
            if set.find(c) {
                set.low[(c / 64) as usize] |= 1 << (c % 64);
            }
        }
        set
    }

    #[inline]
    pub(super) fn contains(&self, c: u32) -> bool {
        if c < 256 { self.low[(c / 64) as usize] >> (c % 64) & 1 == 1 } else { self.find(c) }
    }

    /// Steps that asking for a character beyond the first 256 takes.
    pub(super) fn cost(&self) -> u32 {
        let categories = 2 * self.categories.len().min(6) as u32;
        let ranges = if self.ranges.is_empty() { 0 } else { 2 };
        1 + categories + if self.fold == Fold::Unicode { 8 + 4 * ranges } else { ranges }
    }

    fn find(&self, c: u32) -> bool {
        let within = match self.fold {
            Fold::Exact => self.has(c),
            Fold::Ascii => self.has_ascii(c),
            Fold::Unicode => self.has_folded(c),
        };
        within != self.negated
    }

    fn has(&self, c: u32) -> bool {
        self.has_range(c) || self.categories.iter().any(|category| category.contains(c))
    }

    fn has_range(&self, c: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.0 <= c);
        after.checked_sub(1).and_then(|index| self.ranges.get(index)).is_some_and(|range| c <= range.1)
    }

    fn has_ascii(&self, c: u32) -> bool {
        match u8::try_from(c) {
            Ok(byte) => {
                self.has(u32::from(byte.to_ascii_lowercase())) || self.has_range(u32::from(byte.to_ascii_uppercase()))
            }
            Err(_) => self.has(c),
        }
    }

    /// Whether a character is in the set that has the same lower case, or one that stands for the same letter.
    fn has_folded(&self, c: u32) -> bool {
        let lower = Fold::Unicode.lower(c);
        let either = |c: u32| self.has_range(c) || self.has_range(upper(c));
        either(lower)
            || self.categories.iter().any(|category| category.contains(lower))
            || same_letter(lower).iter().any(|&other| either(other))
    }
}

fn upper(c: u32) -> u32 {
    char::from_u32(c).map_or(c, |c| case::simple_uppercase(c) as u32)
}

/// Lower-case letters that share their upper case with another one.
pub(super) fn same_letter(c: u32) -> &'static [u32] {
    match SAME_LETTER.binary_search_by_key(&c, |entry| entry.0) {
        Ok(index) => SAME_LETTER[index].1,
        Err(_) => &[],
    }
}

const SAME_LETTER: &[(u32, &[u32])] = &[
    (0x0069, &[0x0131]),
    (0x0073, &[0x017f]),
    (0x00b5, &[0x03bc]),
    (0x0131, &[0x0069]),
    (0x017f, &[0x0073]),
    (0x0345, &[0x03b9, 0x1fbe]),
    (0x0390, &[0x1fd3]),
    (0x03b0, &[0x1fe3]),
    (0x03b2, &[0x03d0]),
    (0x03b5, &[0x03f5]),
    (0x03b8, &[0x03d1]),
    (0x03b9, &[0x0345, 0x1fbe]),
    (0x03ba, &[0x03f0]),
    (0x03bc, &[0x00b5]),
    (0x03c0, &[0x03d6]),
    (0x03c1, &[0x03f1]),
    (0x03c2, &[0x03c3]),
    (0x03c3, &[0x03c2]),
    (0x03c6, &[0x03d5]),
    (0x03d0, &[0x03b2]),
    (0x03d1, &[0x03b8]),
    (0x03d5, &[0x03c6]),
    (0x03d6, &[0x03c0]),
    (0x03f0, &[0x03ba]),
    (0x03f1, &[0x03c1]),
    (0x03f5, &[0x03b5]),
    (0x0432, &[0x1c80]),
    (0x0434, &[0x1c81]),
    (0x043e, &[0x1c82]),
    (0x0441, &[0x1c83]),
    (0x0442, &[0x1c84, 0x1c85]),
    (0x044a, &[0x1c86]),
    (0x0463, &[0x1c87]),
    (0x1c80, &[0x0432]),
    (0x1c81, &[0x0434]),
    (0x1c82, &[0x043e]),
    (0x1c83, &[0x0441]),
    (0x1c84, &[0x0442, 0x1c85]),
    (0x1c85, &[0x0442, 0x1c84]),
    (0x1c86, &[0x044a]),
    (0x1c87, &[0x0463]),
    (0x1c88, &[0xa64b]),
    (0x1e61, &[0x1e9b]),
    (0x1e9b, &[0x1e61]),
    (0x1fbe, &[0x0345, 0x03b9]),
    (0x1fd3, &[0x0390]),
    (0x1fe3, &[0x03b0]),
    (0xa64b, &[0x1c88]),
    (0xfb05, &[0xfb06]),
    (0xfb06, &[0xfb05]),
];
