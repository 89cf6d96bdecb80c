//! Expressions.

use super::*;
use rustpython_ast::{
    Arguments, Comprehension, DictItem, Expr, ExprAttribute, ExprAwait, ExprBinOp, ExprBoolOp, ExprBooleanLiteral,
    ExprBytesLiteral, ExprCall, ExprCompare, ExprConstant, ExprContext, ExprDict, ExprDictComp, ExprEllipsisLiteral,
    ExprFString, ExprGenerator, ExprIf, ExprIpyEscapeCommand, ExprLambda, ExprList, ExprListComp, ExprName, ExprNamed,
    ExprNoneLiteral, ExprNumberLiteral, ExprSet, ExprSetComp, ExprSlice, ExprStarred, ExprStringLiteral, ExprSubscript,
    ExprTString, ExprTuple, ExprUnaryOp, ExprYield, ExprYieldFrom, FString, FStringPart, InterpolatedElement,
    InterpolatedStringElement, InterpolatedStringElements, InterpolatedStringFormatSpec,
    InterpolatedStringLiteralElement, Keyword,
};

impl Validator<'_> {
    pub(super) fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Checked {
        exprs.into_iter().try_for_each(|expr| self.expr(expr))
    }

    pub(super) fn optional(&mut self, expr: Option<&Expr>) -> Checked {
        expr.map_or(Ok(()), |expr| self.expr(expr))
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Checked {
        match expr {
            Expr::BoolOp(ExprBoolOp { op: _, values, range: _, node_index: _, runtime_values: _ }) => {
                self.exprs(values)
            }
            Expr::Named(ExprNamed { target, value, range: _, node_index: _ }) => {
                self.expr(target)?;
                self.expr(value)
            }
            Expr::BinOp(ExprBinOp { left, op: _, right, range: _, node_index: _ }) => {
                self.expr(left)?;
                self.expr(right)
            }
            Expr::UnaryOp(ExprUnaryOp { op: _, operand, range: _, node_index: _ }) => self.expr(operand),
            Expr::Lambda(ExprLambda { parameters, body, range: _, node_index: _ }) => {
                if let Some(parameters) = parameters {
                    self.parameters(parameters)?;
                }
                self.inside(self.place.function(parameters.as_deref()), |inner| inner.expr(body))
            }
            Expr::If(ExprIf { test, body, orelse, range: _, node_index: _ }) => {
                self.expr(body)?;
                self.expr(test)?;
                self.expr(orelse)
            }
            Expr::Dict(ExprDict { items, range: _, node_index: _, runtime_values: _ }) => {
                items.iter().try_for_each(|DictItem { key, value }| {
                    self.optional(key.as_ref())?;
                    self.expr(value)
                })
            }
            Expr::Set(ExprSet { elts, range: _, node_index: _, runtime_elts: _ })
            | Expr::List(ExprList { elts, ctx: _, range: _, node_index: _, runtime_elts: _ })
            | Expr::Tuple(ExprTuple { elts, ctx: _, parenthesized: _, range: _, node_index: _, runtime_elts: _ }) => {
                self.exprs(elts)
            }
            Expr::ListComp(ExprListComp { elt, generators, range: _, node_index: _ })
            | Expr::SetComp(ExprSetComp { elt, generators, range: _, node_index: _ })
            | Expr::Generator(ExprGenerator { elt, generators, parenthesized: _, range: _, node_index: _ }) => {
                self.comprehension([&**elt], generators)
            }
            Expr::DictComp(ExprDictComp { key, value, generators, range: _, node_index: _ }) => {
                self.comprehension(key.as_deref().into_iter().chain([&**value]), generators)
            }
            Expr::Await(ExprAwait { value, range: _, node_index: _ })
            | Expr::YieldFrom(ExprYieldFrom { value, range: _, node_index: _ })
            | Expr::Starred(ExprStarred { value, ctx: _, range: _, node_index: _ }) => self.expr(value),
            Expr::Yield(ExprYield { value, range: _, node_index: _ }) => self.optional(value.as_deref()),
            Expr::Compare(ExprCompare {
                left,
                ops: _,
                comparators,
                range: _,
                node_index: _,
                runtime_comparators: _,
            }) => {
                self.expr(left)?;
                self.exprs(comparators)
            }
            Expr::Call(ExprCall { range_start: _, func, arguments, node_index: _ }) => {
                if !special_method_of_super(func) {
                    self.expr(func)?;
                } else if !self.place.method {
                    return closed(
                        "super-outside-method",
                        "a special method of `super()` outside of a method",
                        "call it in a function of a class that has `self` as its first parameter",
                        func.start(),
                    );
                }
                self.arguments(arguments)
            }
            Expr::FString(ExprFString { value, range: _, node_index: _, runtime_joined_str: _, runtime_values: _ }) => {
                value.iter().try_for_each(|part| match part {
                    FStringPart::Literal(_) => Ok(()),
                    FStringPart::FString(FString { range: _, node_index: _, elements, flags: _ }) => {
                        self.interpolated(elements)
                    }
                })
            }
            Expr::TString(ExprTString {
                value: _,
                range,
                node_index: _,
                runtime_template_str: _,
                runtime_values: _,
            }) => closed("t-string", "a template string", "use an f-string", range.start()),
            Expr::StringLiteral(ExprStringLiteral { value: _, range: _, node_index: _ })
            | Expr::BytesLiteral(ExprBytesLiteral { value: _, range: _, node_index: _ })
            | Expr::NumberLiteral(ExprNumberLiteral { value: _, range: _, node_index: _ })
            | Expr::BooleanLiteral(ExprBooleanLiteral { value: _, range: _, node_index: _ })
            | Expr::NoneLiteral(ExprNoneLiteral { range: _, node_index: _ })
            | Expr::EllipsisLiteral(ExprEllipsisLiteral { range: _, node_index: _ }) => Ok(()),
            Expr::Constant(ExprConstant { value: _, kind: _, invalid_type: _, range, node_index: _ }) => {
                closed("constant-node", "a constant that no source can spell", "write it out", range.start())
            }
            Expr::Attribute(ExprAttribute { value, attr, ctx: _, range: _, node_index: _ }) => {
                self.expr(value)?;
                self.attribute(attr)
            }
            Expr::Subscript(ExprSubscript { value, slice, ctx: _, range: _, node_index: _ }) => {
                self.expr(value)?;
                self.expr(slice)
            }
            Expr::Name(ExprName { id, ctx, range, node_index: _ }) => {
                let use_ = if *ctx == ExprContext::Load { Use::Read } else { Use::Bind };
                self.name(id.as_str(), self.place.scope, use_, range.start())
            }
            Expr::Slice(ExprSlice { lower, upper, step, range: _, node_index: _ }) => {
                self.optional(lower.as_deref())?;
                self.optional(upper.as_deref())?;
                self.optional(step.as_deref())
            }
            Expr::IpyEscapeCommand(ExprIpyEscapeCommand { kind: _, value: _, range, node_index: _ }) => {
                closed("ipython-command", "an IPython command", "write plain Python", range.start())
            }
        }
    }

    fn arguments(&mut self, arguments: &Arguments) -> Checked {
        let Arguments { range: _, node_index: _, args, keywords, runtime_args: _, runtime_bases: _ } = arguments;
        let keyword = |this: &mut Self, keyword: &Keyword| {
            let Keyword { range: _, node_index: _, arg, value } = keyword;
            arg.as_ref().map_or(Ok(()), |name| this.keyword(name))?;
            this.expr(value)
        };
        // `f(a=1, *b)`: both kinds may be mixed, and the first violation in the source is wanted.
        let mut keywords = keywords.iter().peekable();
        for arg in args {
            while let Some(earlier) = keywords.next_if(|keyword| keyword.start() < arg.start()) {
                keyword(self, earlier)?;
            }
            self.expr(arg)?;
        }
        keywords.try_for_each(|each| keyword(self, each))
    }

    /// The element stands first in the source and is checked first. All is taken as the comprehension's own scope.
    fn comprehension<'e>(
        &mut self,
        elements: impl IntoIterator<Item = &'e Expr>,
        clauses: &[Comprehension],
    ) -> Checked {
        self.inside(self.place.comprehension(), |inner| {
            inner.exprs(elements)?;
            clauses.iter().try_for_each(|clause| {
                let Comprehension {
                    range: _,
                    node_index: _,
                    target,
                    iter,
                    ifs,
                    is_async: _,
                    runtime_ifs: _,
                    runtime_is_async: _,
                } = clause;
                inner.expr(target)?;
                inner.expr(iter)?;
                inner.exprs(ifs)
            })
        })
    }

    fn interpolated(&mut self, elements: &InterpolatedStringElements) -> Checked {
        elements.iter().try_for_each(|element| match element {
            InterpolatedStringElement::Literal(InterpolatedStringLiteralElement {
                range: _,
                node_index: _,
                value: _,
            }) => Ok(()),
            InterpolatedStringElement::Interpolation(field) => {
                let InterpolatedElement {
                    range: _,
                    node_index: _,
                    expression,
                    debug_text: _,
                    conversion: _,
                    format_spec,
                    runtime_str: _,
                    runtime_interpolation_format_spec: _,
                    runtime_formatted_value_format_spec: _,
                } = field;
                self.expr(expression)?;
                format_spec.as_deref().map_or(Ok(()), |spec| {
                    let InterpolatedStringFormatSpec { range: _, node_index: _, elements } = spec;
                    self.interpolated(elements)
                })
            }
        })
    }
}

/// `super().__init__` and the like, as the callee of a call: the one place where a special method may be fetched.
fn special_method_of_super(callee: &Expr) -> bool {
    let Expr::Attribute(ExprAttribute { value, attr, ctx: ExprContext::Load, .. }) = callee else { return false };
    let Expr::Call(call) = &**value else { return false };
    call.arguments.args.is_empty()
        && call.arguments.keywords.is_empty()
        && matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "super")
        && names::special_on_super(attr.as_str())
}
