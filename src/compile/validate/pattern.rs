//! Patterns of `match`.

use super::*;
use rustpython_ast::{
    Expr, Pattern, PatternArguments, PatternKeyword, PatternMatchAs, PatternMatchClass, PatternMatchMapping,
    PatternMatchOr, PatternMatchSequence, PatternMatchSingleton, PatternMatchStar, PatternMatchValue,
};

impl Validator<'_> {
    fn patterns(&mut self, patterns: &[Pattern]) -> Checked {
        patterns.iter().try_for_each(|pattern| self.pattern(pattern))
    }

    pub(super) fn pattern(&mut self, pattern: &Pattern) -> Checked {
        match pattern {
            Pattern::MatchValue(PatternMatchValue { value, range: _, node_index: _ }) => self.expr(value),
            Pattern::MatchSingleton(PatternMatchSingleton { value: _, range: _, node_index: _ }) => Ok(()),
            Pattern::MatchSequence(PatternMatchSequence { patterns, range: _, node_index: _, runtime_patterns: _ })
            | Pattern::MatchOr(PatternMatchOr { patterns, range: _, node_index: _, runtime_patterns: _ }) => {
                self.patterns(patterns)
            }
            Pattern::MatchMapping(PatternMatchMapping {
                keys,
                patterns,
                rest,
                range: _,
                node_index: _,
                runtime_keys: _,
                runtime_patterns: _,
            }) => {
                for (key, value) in keys.iter().zip(patterns) {
                    self.expr(key)?;
                    self.pattern(value)?;
                }
                rest.as_ref().map_or(Ok(()), |name| self.bind(name))
            }
            Pattern::MatchClass(class) => self.class_pattern(class),
            Pattern::MatchStar(PatternMatchStar { name, range: _, node_index: _ }) => {
                name.as_ref().map_or(Ok(()), |name| self.bind(name))
            }
            Pattern::MatchAs(PatternMatchAs { pattern, name, range: _, node_index: _ }) => {
                if let Some(pattern) = pattern {
                    self.pattern(pattern)?;
                }
                name.as_ref().map_or(Ok(()), |name| self.bind(name))
            }
        }
    }

    /// Keywords fetch attributes by their own name, so they are checked as such. Positions fetch those that the class's
    /// `__match_args__` names, so the class must be known.
    fn class_pattern(&mut self, pattern: &PatternMatchClass) -> Checked {
        let PatternMatchClass {
            cls,
            arguments,
            range: _,
            node_index: _,
            runtime_patterns: _,
            runtime_kwd_attrs: _,
            runtime_kwd_patterns: _,
        } = pattern;
        let PatternArguments { range: _, node_index: _, patterns, keywords } = arguments;
        self.expr(cls)?;
        if let Some(first) = patterns.first()
            && !self.matches_itself(cls)
        {
            return closed(
                "class-pattern",
                "a positional pattern of this class",
                "name the attributes, as in Point(x=0, y=0); positions work for built-in types that the script does not rebind",
                first.start(),
            );
        }
        self.patterns(patterns)?;
        for PatternKeyword { range: _, node_index: _, attr, pattern } in keywords {
            self.attribute(attr)?;
            self.pattern(pattern)?;
        }
        Ok(())
    }

    /// A built-in type whose one positional pattern is the object itself, under a name that the script never binds.
    fn matches_itself(&self, class: &Expr) -> bool {
        let Expr::Name(name) = class else { return false };
        MATCH_THEMSELVES.contains(&name.id.as_str()) && !self.bound.contains(name.id.as_str())
    }
}

const MATCH_THEMSELVES: [&str; 11] =
    ["bool", "bytearray", "bytes", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"];
