//! Statements.

use super::*;
use rustpython_ast::{
    Alias, Arguments, Decorator, ElifElseClause, ExceptHandler, ExceptHandlerExceptHandler, Keyword, MatchCase,
    Parameter, ParameterWithDefault, Parameters, Stmt, StmtAnnAssign, StmtAssert, StmtAssign, StmtAugAssign, StmtBreak,
    StmtClassDef, StmtContinue, StmtDelete, StmtExpr, StmtFor, StmtFunctionDef, StmtGlobal, StmtIf, StmtImport,
    StmtImportFrom, StmtIpyEscapeCommand, StmtMatch, StmtNonlocal, StmtPass, StmtRaise, StmtReturn, StmtTry,
    StmtTypeAlias, StmtWhile, StmtWith, TypeParams, WithItem,
};

impl Validator<'_> {
    pub(super) fn body(&mut self, body: &[Stmt]) -> Checked {
        body.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt) -> Checked {
        match statement {
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::Return(StmtReturn { value, range: _, node_index: _ }) => self.optional(value.as_deref()),
            Stmt::Delete(StmtDelete { targets, range: _, node_index: _, runtime_targets: _ }) => self.exprs(targets),
            Stmt::TypeAlias(StmtTypeAlias { name: _, type_params: _, value: _, range, node_index: _ }) => {
                closed("type-statement", "a type statement", "write the alias as an assignment", range.start())
            }
            Stmt::Assign(StmtAssign {
                targets,
                value,
                range: _,
                node_index: _,
                runtime_targets: _,
                runtime_type_comment: _,
                runtime_type_comment_bytes: _,
            }) => {
                self.exprs(targets)?;
                self.expr(value)
            }
            Stmt::AugAssign(StmtAugAssign { target, op: _, value, range: _, node_index: _ }) => {
                self.expr(target)?;
                self.expr(value)
            }
            Stmt::AnnAssign(StmtAnnAssign {
                target,
                annotation,
                value,
                simple: _,
                range: _,
                node_index: _,
                runtime_simple: _,
            }) => {
                self.expr(target)?;
                self.expr(annotation)?;
                self.optional(value.as_deref())
            }
            Stmt::For(StmtFor {
                is_async: _,
                target,
                iter,
                body,
                orelse,
                range: _,
                node_index: _,
                runtime_type_comment: _,
                runtime_type_comment_bytes: _,
                runtime_body: _,
                runtime_orelse: _,
            }) => {
                self.expr(target)?;
                self.expr(iter)?;
                self.body(body)?;
                self.body(orelse)
            }
            Stmt::While(StmtWhile {
                test,
                body,
                orelse,
                range: _,
                node_index: _,
                runtime_body: _,
                runtime_orelse: _,
            }) => {
                self.expr(test)?;
                self.body(body)?;
                self.body(orelse)
            }
            Stmt::If(StmtIf { test, body, elif_else_clauses, range: _, node_index: _, runtime_body: _ }) => {
                self.expr(test)?;
                self.body(body)?;
                elif_else_clauses.iter().try_for_each(|clause| {
                    let ElifElseClause { range: _, node_index: _, test, body, runtime_body: _, runtime_orelse: _ } =
                        clause;
                    self.optional(test.as_ref())?;
                    self.body(body)
                })
            }
            Stmt::With(StmtWith {
                is_async: _,
                items,
                body,
                range: _,
                node_index: _,
                runtime_type_comment: _,
                runtime_type_comment_bytes: _,
                runtime_body: _,
            }) => {
                for WithItem { range: _, node_index: _, context_expr, optional_vars } in items {
                    self.expr(context_expr)?;
                    self.optional(optional_vars.as_deref())?;
                }
                self.body(body)
            }
            Stmt::Match(StmtMatch { subject, cases, range: _, node_index: _ }) => {
                self.expr(subject)?;
                for MatchCase { range: _, node_index: _, pattern, guard, body, runtime_body: _ } in cases {
                    self.pattern(pattern)?;
                    self.optional(guard.as_deref())?;
                    self.body(body)?;
                }
                Ok(())
            }
            Stmt::Raise(StmtRaise { exc, cause, range: _, node_index: _ }) => {
                self.optional(exc.as_deref())?;
                self.optional(cause.as_deref())
            }
            Stmt::Try(try_) => self.try_statement(try_),
            Stmt::Assert(StmtAssert { test, msg, range: _, node_index: _ }) => {
                self.expr(test)?;
                self.optional(msg.as_deref())
            }
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Global(StmtGlobal { names, range: _, node_index: _ })
            | Stmt::Nonlocal(StmtNonlocal { names, range: _, node_index: _ }) => {
                // Not the class's own names, even in a class body.
                names.iter().try_for_each(|name| self.name(name.as_str(), Scope::Function, Use::Bind, name.start()))
            }
            Stmt::Expr(StmtExpr { value, range: _, node_index: _ }) => self.expr(value),
            Stmt::Pass(StmtPass { range: _, node_index: _ })
            | Stmt::Break(StmtBreak { range: _, node_index: _ })
            | Stmt::Continue(StmtContinue { range: _, node_index: _ }) => Ok(()),
            Stmt::IpyEscapeCommand(StmtIpyEscapeCommand { kind: _, value: _, range, node_index: _ }) => {
                closed("ipython-command", "an IPython command", "write plain Python", range.start())
            }
        }
    }

    fn function(&mut self, function: &StmtFunctionDef) -> Checked {
        let StmtFunctionDef {
            is_async: _,
            decorator_list,
            name,
            type_params,
            parameters,
            returns,
            body,
            range: _,
            node_index: _,
            runtime_decorator_list: _,
            runtime_type_comment: _,
            runtime_type_comment_bytes: _,
            runtime_body: _,
        } = function;
        self.decorators(decorator_list)?;
        self.bind(name)?;
        type_parameters(type_params.as_deref())?;
        self.parameters(parameters)?;
        self.optional(returns.as_deref())?;
        self.inside(self.place.function(Some(parameters)), |inner| inner.body(body))
    }

    fn class(&mut self, class: &StmtClassDef) -> Checked {
        let StmtClassDef {
            decorator_list,
            name,
            type_params,
            arguments,
            body,
            range: _,
            node_index: _,
            runtime_decorator_list: _,
            runtime_body: _,
        } = class;
        self.decorators(decorator_list)?;
        self.bind(name)?;
        type_parameters(type_params.as_deref())?;
        if let Some(arguments) = arguments {
            let Arguments { range: _, node_index: _, args, keywords, runtime_args: _, runtime_bases: _ } = &**arguments;
            for base in args {
                if base.is_starred_expr() {
                    return closed("starred-base", "a starred base class", "name each base class", base.start());
                }
            }
            // A keyword is an argument of the metaclass, or of `__init_subclass__`.
            if let Some(Keyword { range, .. }) = keywords.first() {
                return match args.iter().find(|base| base.start() < range.start()) {
                    Some(_) => self.exprs(args),
                    None => Ok(()),
                }
                .and_then(|()| {
                    closed("class-keyword", "a keyword among the base classes", "leave it out", range.start())
                });
            }
            self.exprs(args)?;
        }
        self.inside(self.place.class(), |inner| inner.body(body))
    }

    fn decorators(&mut self, decorators: &[Decorator]) -> Checked {
        decorators.iter().try_for_each(|decorator| {
            let Decorator { range: _, node_index: _, expression } = decorator;
            self.expr(expression)
        })
    }

    /// Names, annotations and defaults, of a function or a lambda. Names are the function's, the rest is evaluated outside.
    pub(super) fn parameters(&mut self, parameters: &Parameters) -> Checked {
        let Parameters { range: _, node_index: _, posonlyargs, args, vararg, kwonlyargs, kwarg, runtime_defaults: _ } =
            parameters;
        for with_default in posonlyargs.iter().chain(args) {
            self.parameter_with_default(with_default)?;
        }
        if let Some(parameter) = vararg {
            self.parameter(parameter)?;
        }
        for with_default in kwonlyargs {
            self.parameter_with_default(with_default)?;
        }
        kwarg.as_deref().map_or(Ok(()), |parameter| self.parameter(parameter))
    }

    fn parameter_with_default(&mut self, with_default: &ParameterWithDefault) -> Checked {
        let ParameterWithDefault { range: _, node_index: _, parameter, default } = with_default;
        self.parameter(parameter)?;
        self.optional(default.as_deref())
    }

    fn parameter(&mut self, parameter: &Parameter) -> Checked {
        let Parameter {
            range: _,
            node_index: _,
            name,
            annotation,
            runtime_type_comment: _,
            runtime_type_comment_bytes: _,
        } = parameter;
        self.name(name.as_str(), Scope::Function, Use::Bind, name.start())?;
        self.optional(annotation.as_deref())
    }

    fn try_statement(&mut self, try_: &StmtTry) -> Checked {
        let StmtTry {
            body,
            handlers,
            orelse,
            finalbody,
            is_star,
            range: _,
            node_index: _,
            runtime_body: _,
            runtime_handlers: _,
            runtime_orelse: _,
            runtime_finalbody: _,
        } = try_;
        self.body(body)?;
        for ExceptHandler::ExceptHandler(handler) in handlers {
            let ExceptHandlerExceptHandler { range, node_index: _, type_, name, body, runtime_body: _ } = handler;
            if *is_star {
                return closed("except-star", "except*", "use except", range.start());
            }
            self.optional(type_.as_deref())?;
            name.as_ref().map_or(Ok(()), |name| self.bind(name))?;
            self.body(body)?;
        }
        self.body(orelse)?;
        self.body(finalbody)
    }

    fn import(&mut self, import: &StmtImport) -> Checked {
        let StmtImport { names, is_lazy, range, node_index: _ } = import;
        lazy_import(*is_lazy, range.start())?;
        for Alias { range: _, node_index: _, name, asname } in names {
            self.module(name)?;
            match asname {
                Some(asname) => self.bind(asname)?,
                // `import a.b` binds `a`. The parts were checked as attributes, which is stricter.
                None => {
                    let first = name.split('.').next().unwrap_or_default();
                    self.name(first, self.place.scope, Use::Bind, name.start())?;
                }
            }
        }
        Ok(())
    }

    fn import_from(&mut self, import: &StmtImportFrom) -> Checked {
        let StmtImportFrom { module, names, level, is_lazy, range, node_index: _, runtime_level: _ } = import;
        lazy_import(*is_lazy, range.start())?;
        let module = match module {
            Some(module) if *level == 0 => module,
            _ => {
                return closed(
                    "relative-import",
                    "a relative import",
                    "import a granted module by its name",
                    range.start(),
                );
            }
        };
        self.module(module)?;
        for Alias { range: _, node_index: _, name, asname } in names {
            if name.as_str() == "*" {
                return closed("star-import", "an import of *", "import the names one by one", name.start());
            }
            self.attribute(name)?;
            self.bind(asname.as_ref().unwrap_or(name))?;
        }
        Ok(())
    }

    /// A module may be imported if it and every package it is in are granted.
    fn module(&self, name: &Identifier) -> Checked {
        let text = name.as_str();
        let refused = |shown: &str| {
            let message = format!("the module '{shown}' is not granted");
            let violation =
                Violation::new("import", message, "the host decides which modules a script may import", name.start());
            Err(violation)
        };
        let ends = text.match_indices('.').map(|(end, _)| end).chain([text.len()]);
        let mut start = 0;
        for end in ends {
            let (part, prefix) = (&text[start..end], &text[..end]);
            if (self.grants)(prefix) != Grant::Granted || names::attribute(part).is_err() {
                return refused(&prefix.chars().take(64).collect::<String>());
            }
            start = end + 1;
        }
        Ok(())
    }
}

fn lazy_import(lazy: bool, at: TextSize) -> Checked {
    if lazy { closed("lazy-import", "a lazy import", "leave out lazy", at) } else { Ok(()) }
}

/// Bounds and defaults of type parameters are evaluated later, in a scope of their own.
fn type_parameters(parameters: Option<&TypeParams>) -> Checked {
    parameters.map_or(Ok(()), |parameters| {
        closed("type-parameters", "type parameters", "leave them out", parameters.range.start())
    })
}
