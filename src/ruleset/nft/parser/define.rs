//! `define`, `redefine` and `undefine`, and what `$name` stands for.

use super::super::ast::{Element, Expr, ExprKind, Name, Pos, StmtKind, Verdict};
use super::super::lexer::Kind;
use super::{DEEPEST, Parsed, Parser};
use std::collections::HashMap;

/// Parts of expressions that all variables of a script may expand to.
const MOST_EXPANDED: usize = 1 << 20;

/// Bytes of a text that count as nothing beside what holds it.
const WEIGHTLESS: usize = 64;

/// What names stand for, innermost block last.
#[derive(Default)]
pub(super) struct Defines {
    scopes: Vec<HashMap<String, Define>>,
    expanded: usize,
}

struct Define {
    value: Expr,
    parts: usize,
}

impl Parser<'_> {
    /// Reads what belongs to a block: its defines are gone afterwards.
    pub(super) fn scoped<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.defines.scopes.push(HashMap::new());
        let result = read(self);
        self.defines.scopes.pop();
        result
    }

    /// `define X = …`, `redefine X = …` or `undefine X`, if one stands here.
    pub(super) fn define(&mut self) -> Parsed<bool> {
        let Some(word) = self.word().filter(|word| matches!(*word, "define" | "redefine" | "undefine")) else {
            return Ok(false);
        };
        self.bump();
        let name = self.name("the name of a variable")?;
        let scope = self.defines.scopes.last_mut();
        let known = scope.as_ref().is_some_and(|scope| scope.contains_key(&name.text));
        if word == "undefine" {
            return match scope.and_then(|scope| scope.remove(&name.text)) {
                Some(_) => Ok(true),
                None => Err(self.unknown_variable(&name)),
            };
        }
        if known && word == "define" {
            let message = format!("`{}` is defined already: expected a new name, or `redefine`", name.text);
            return Err(self.error_at(name.pos, message));
        }
        self.expect("=")?;
        let value = self.define_value()?;
        let mut parts = 0;
        if measure(&value, &mut parts) > DEEPEST as usize {
            return Err(self.error_at(name.pos, format!("too deep: more than {DEEPEST} brackets within each other")));
        }
        if let Some(scope) = self.defines.scopes.last_mut() {
            scope.insert(name.text, Define { value, parts });
        }
        Ok(true)
    }

    fn define_value(&mut self) -> Parsed<Expr> {
        let pos = self.pos();
        if self.accept("-") {
            let number: u32 = self.number("a number")?;
            return Ok(Expr { pos, kind: ExprKind::Number(format!("-{number}")) });
        }
        self.right_side()
    }

    /// Value of the variable whose `$` stands here.
    pub(super) fn variable(&mut self) -> Parsed<Expr> {
        self.expect("$")?;
        let pos = self.pos();
        let Kind::Word(text) = self.peek() else { return Err(self.unexpected("the name of a variable")) };
        let name = Name { pos, text: text.to_owned() };
        let define = self.defines.scopes.iter().rev().find_map(|scope| scope.get(text));
        let Some(Define { value, parts }) = define else { return Err(self.unknown_variable(&name)) };
        let expanded = self.defines.expanded.saturating_add(*parts);
        if expanded > MOST_EXPANDED {
            let message = format!("variables expand to too much: more than {MOST_EXPANDED} values in this script");
            return Err(self.error(message));
        }
        let value = value.clone();
        self.defines.expanded = expanded;
        self.bump();
        Ok(value)
    }

    /// Value of the variable whose `$` stands here, which has to be a word.
    pub(super) fn variable_name(&mut self, what: &str) -> Parsed<Name> {
        let pos = self.pos();
        match self.variable()?.kind {
            ExprKind::Symbol(text) | ExprKind::Text(text) | ExprKind::Number(text) => Ok(Name { pos, text }),
            _ => Err(self.error_at(pos, format!("expected {what}, found a variable that holds something else"))),
        }
    }

    /// Text in which `$name` stands for a variable, where it is known (`log prefix`).
    pub(super) fn expand_text(&self, text: String) -> String {
        if !text.contains('$') {
            return text;
        }
        let mut parts = text.split('$');
        let mut result = parts.next().unwrap_or("").to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
            let (name, rest) = part.split_at_checked(end).unwrap_or((part, ""));
            let define = self.defines.scopes.iter().rev().find_map(|scope| scope.get(name));
            match define.map(|define| &define.value.kind) {
                Some(ExprKind::Symbol(value) | ExprKind::Text(value) | ExprKind::Number(value)) => {
                    result.push_str(value);
                    result.push_str(rest);
                }
                _ => result.extend(["$", part]),
            }
            // nft refuses a prefix of more than 127 characters; what expands to more than that need not be complete.
            if result.len() > 1024 {
                break;
            }
        }
        result
    }

    fn unknown_variable(&self, name: &Name) -> super::RuleError {
        let message = format!("expected the name of a variable that is defined, found `{}`", name.text);
        self.error_at(name.pos, message)
    }
}

/// Depth of an expression that may stand in a define; adds its parts to `parts`, long texts by their length.
fn measure(value: &Expr, parts: &mut usize) -> usize {
    *parts = parts.saturating_add(1);
    let mut of = |inner: &Expr| measure(inner, parts);
    let inner = match &value.kind {
        ExprKind::Symbol(text) | ExprKind::Text(text) | ExprKind::Number(text) | ExprKind::Time(text) => {
            *parts = parts.saturating_add(text.len() / WEIGHTLESS);
            0
        }
        ExprKind::SymbolPrefix(text) => {
            *parts = parts.saturating_add(text.len() / WEIGHTLESS);
            0
        }
        ExprKind::Group(a) | ExprKind::Prefix(a, _) => of(a),
        ExprKind::Range(a, b) => of(a).max(of(b)),
        ExprKind::Map { key, map } => of(key).max(of(map)),
        ExprKind::Binary { left, right, .. } => of(left).max(of(right)),
        ExprKind::Masked { value, mask } => of(value).max(of(mask)),
        ExprKind::Concat(list) | ExprKind::List(list) => list.iter().map(of).max().unwrap_or(0),
        ExprKind::Jhash { of: hashed, .. } => of(hashed),
        ExprKind::Set(elements) => elements.iter().map(|element| measure_element(element, parts)).max().unwrap_or(0),
        _ => 0,
    };
    inner.saturating_add(1)
}

fn measure_element(element: &Element, parts: &mut usize) -> usize {
    let comment = element.comment.as_ref().map_or(0, String::len) / WEIGHTLESS;
    *parts = parts.saturating_add(comment).saturating_add(element.statements.len());
    let mut depth = measure(&element.key, parts);
    for statement in &element.statements {
        if let StmtKind::Object { name, .. } = &statement.kind {
            depth = depth.max(measure(name, parts));
        }
    }
    match &element.data {
        Some(Expr { kind: ExprKind::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain)), .. }) => {
            *parts = parts.saturating_add(chain.text.len() / WEIGHTLESS);
            depth
        }
        Some(data) => depth.max(measure(data, parts)),
        None => depth,
    }
}

/// An element that is a set itself stands for the elements of that set.
pub(super) fn flattened(elements: Vec<Element>) -> Vec<Element> {
    let is_set = |element: &Element| matches!(element.key.kind, ExprKind::Set(_)) && element.data.is_none();
    if !elements.iter().any(is_set) {
        return elements;
    }
    let mut flat = Vec::with_capacity(elements.len());
    for element in elements {
        match element.key.kind {
            ExprKind::Set(inner) if element.data.is_none() => flat.extend(inner),
            kind => flat.push(Element { key: Expr { pos: element.key.pos, kind }, ..element }),
        }
    }
    flat
}

/// An expression without a place in the script.
pub(super) fn at(pos: Pos, kind: ExprKind) -> Expr {
    Expr { pos, kind }
}
