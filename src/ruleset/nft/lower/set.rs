//! Sets and maps, named and anonymous, with their elements.

use super::{Lower, Result};
use crate::ruleset::error::RuleError;
use crate::ruleset::model::SetId;
use crate::ruleset::nft::ast::{self, DataType, ExprKind, KeyType, Pos};
use crate::ruleset::nft::types::Type;
use crate::ruleset::nft::{Element, ElementData, Set, SetData, Statement, Value};
use std::sync::Arc;

/// Types of the fields of keys and of data.
#[derive(Debug, Clone, Default)]
pub(super) struct Types {
    pub key: Vec<Type>,
    pub data: Vec<Type>,
}

fn widths(types: &[Type]) -> Vec<u32> {
    types.iter().map(|of| of.bytes()).collect()
}

impl Lower<'_> {
    /// Makes sets known by name, still without elements: rules of elements may name other sets' chains and objects.
    pub(super) fn declare_sets(&mut self, sets: &[ast::Set]) -> Result<()> {
        for set in sets {
            let key = match &set.key {
                Some(KeyType::Type(names)) => self.named_types(names)?,
                Some(KeyType::TypeOf(expr)) => self.types_of(expr)?,
                None => return Err(self.fault(set.pos, "a set needs `type` or `typeof`")),
            };
            let (data, data_types) = self.data(set.data.as_ref())?;
            let flag = |wanted: &str| set.flags.iter().any(|flag| flag.text == wanted);
            self.sets.push(Set {
                name: Some(Arc::from(set.name.text.as_str())),
                key: widths(&key),
                data,
                interval: flag("interval"),
                dynamic: flag("dynamic") || set.meter,
                constant: flag("constant"),
                timeout: set.timeout,
                has_timeout: flag("timeout") || set.timeout.is_some(),
                size: set.size.and_then(|size| u32::try_from(size).ok()),
                statements: Vec::new(),
                elements: Vec::new(),
                place: set.pos.place(self.file),
            });
            self.types.push(Types { key, data: data_types });
        }
        Ok(())
    }

    /// Puts the elements in.
    pub(super) fn fill_sets(&mut self, sets: &[ast::Set]) -> Result<()> {
        for (at, set) in sets.iter().enumerate() {
            let Some(types) = self.types.get(at).cloned() else { continue };
            let data = self.sets.get(at).map_or(SetData::None, |set| set.data);
            let elements: Vec<Element> =
                set.elements.iter().map(|element| self.element(element, &types, data)).collect::<Result<_>>()?;
            let mut statements: Vec<Statement> = Vec::new();
            for statement in &set.statements {
                self.statement(statement, &mut statements)?;
            }
            if let Some(known) = self.sets.get_mut(at) {
                known.elements = elements;
                known.statements = statements;
            }
        }
        Ok(())
    }

    fn named_types(&self, names: &[ast::Name]) -> Result<Vec<Type>> {
        let of = |name: &ast::Name| {
            Type::of_name(&name.text)
                .ok_or_else(|| self.fault(name.pos, format!("{:?} is no type that is known", name.text)))
        };
        names.iter().map(of).collect()
    }

    /// Types of an expression that stands for them (`typeof`).
    fn types_of(&mut self, expr: &ast::Expr) -> Result<Vec<Type>> {
        let (unknown, sure) = (self.unknown.clone(), self.sure.clone());
        let asked = self.ask(expr, &mut Vec::new());
        (self.unknown, self.sure) = (unknown, sure);
        Ok(asked?.types)
    }

    fn data(&mut self, data: Option<&DataType>) -> Result<(SetData, Vec<Type>)> {
        let of_values = |types: Vec<Type>| (SetData::Value(widths(&types).iter().sum()), types);
        Ok(match data {
            None => (SetData::None, Vec::new()),
            Some(DataType::Verdict) => (SetData::Verdict, vec![Type::Verdict]),
            Some(DataType::Object(kind)) => (SetData::Object(*kind), Vec::new()),
            Some(DataType::Type { types, .. }) => of_values(self.named_types(types)?),
            Some(DataType::TypeOf { of, .. }) => of_values(self.types_of(of)?),
        })
    }

    /// A set on the right side of a comparison.
    pub(super) fn set_of(&mut self, expr: &ast::Expr, key: &[Type]) -> Result<SetId> {
        match &expr.kind {
            ExprKind::SetRef(name) => {
                let id = self.set_id(name)?;
                self.same_key(name.pos, id, key)?;
                Ok(id)
            }
            ExprKind::Set(elements) => {
                let types = Types { key: key.to_vec(), data: Vec::new() };
                self.new_set(expr.pos, elements, types, SetData::None)
            }
            _ => Err(self.fault(expr.pos, "expected a set: { … } or @name")),
        }
    }

    /// A map to verdicts.
    pub(super) fn verdict_map(&mut self, expr: &ast::Expr, key: &[Type]) -> Result<SetId> {
        self.object_map(expr, key, SetData::Verdict)
    }

    /// A map to verdicts or objects.
    pub(super) fn object_map(&mut self, expr: &ast::Expr, key: &[Type], data: SetData) -> Result<SetId> {
        match &expr.kind {
            ExprKind::Set(elements) => {
                self.new_set(expr.pos, elements, Types { key: key.to_vec(), data: Vec::new() }, data)
            }
            _ => {
                let id = self.set_of(expr, key)?;
                let is = self.sets.get(id.0 as usize).map(|set| set.data);
                if is != Some(data) {
                    return Err(self.fault(expr.pos, "this is not a map to what is needed here"));
                }
                Ok(id)
            }
        }
    }

    /// A map to values, with the types that it gives. `wanted` is what its place asks for.
    pub(super) fn map_of(
        &mut self,
        expr: &ast::Expr,
        key: &[Type],
        wanted: Option<&[Type]>,
    ) -> Result<(SetId, Vec<Type>)> {
        if let ExprKind::Set(elements) = &expr.kind {
            let data = wanted.map_or_else(|| vec![Type::Integer(32)], <[Type]>::to_vec);
            let width = widths(&data).iter().sum();
            let types = Types { key: key.to_vec(), data: data.clone() };
            return Ok((self.new_set(expr.pos, elements, types, SetData::Value(width))?, data));
        }
        let id = self.set_of(expr, key)?;
        let types = self.types.get(id.0 as usize).map(|types| types.data.clone()).unwrap_or_default();
        if types.is_empty() || types == [Type::Verdict] {
            return Err(self.fault(expr.pos, "this is not a map to values"));
        }
        Ok((id, types))
    }

    fn same_key(&self, pos: Pos, id: SetId, key: &[Type]) -> Result<()> {
        let of_set = self.sets.get(id.0 as usize).map(|set| set.key.clone()).unwrap_or_default();
        if of_set == widths(key) {
            return Ok(());
        }
        Err(self.fault(pos, format!("keys of this set have {of_set:?} bytes, what is compared has {:?}", widths(key))))
    }

    /// A set of single values that a rule needs for itself.
    pub(super) fn anonymous(&mut self, values: Vec<Value>) -> SetId {
        let width = values.first().map_or(1, Vec::len) as u32;
        let of = |value: Value| Element {
            key: Some(vec![(value.clone(), value)]),
            data: ElementData::None,
            timeout: None,
            expires: None,
            statements: Vec::new(),
            comment: None,
        };
        let elements = values.into_iter().map(of).collect();
        self.push(
            vec![width],
            elements,
            SetData::None,
            Types { key: vec![Type::Integer(width * 8)], data: Vec::new() },
            Pos::default(),
        )
    }

    /// The set that a `meter` makes.
    pub(super) fn meter(
        &mut self,
        name: &ast::Name,
        size: Option<u32>,
        key: &[Type],
        element: &ast::Element,
        pos: Pos,
    ) -> SetId {
        if let Ok(known) = self.set_id(name) {
            return known;
        }
        let id = self.push(widths(key), Vec::new(), SetData::None, Types { key: key.to_vec(), data: Vec::new() }, pos);
        if let Some(set) = self.sets.last_mut() {
            set.name = Some(Arc::from(name.text.as_str()));
            (set.dynamic, set.constant, set.size) = (true, false, size.or(Some(65_535)));
            set.has_timeout = element.timeout.is_some();
        }
        id
    }

    fn new_set(&mut self, pos: Pos, elements: &[ast::Element], types: Types, data: SetData) -> Result<SetId> {
        let lowered: Vec<Element> =
            elements.iter().map(|element| self.element(element, &types, data)).collect::<Result<_>>()?;
        Ok(self.push(widths(&types.key), lowered, data, types, pos))
    }

    fn push(&mut self, key: Vec<u32>, elements: Vec<Element>, data: SetData, types: Types, pos: Pos) -> SetId {
        let is_range = |element: &Element| element.key.iter().flatten().any(|(low, high)| low != high);
        self.sets.push(Set {
            name: None,
            key,
            data,
            interval: elements.iter().any(is_range),
            dynamic: false,
            constant: true,
            timeout: None,
            has_timeout: false,
            size: None,
            statements: Vec::new(),
            elements,
            place: pos.place(self.file),
        });
        self.types.push(types);
        SetId(self.sets.len() as u32 - 1)
    }

    fn element(&mut self, element: &ast::Element, types: &Types, data: SetData) -> Result<Element> {
        let key = match &element.key.kind {
            ExprKind::Wildcard => None,
            _ => Some(self.key(&element.key, &types.key)?),
        };
        let data = match (&element.data, data) {
            (None, _) => ElementData::None,
            (Some(given), SetData::Verdict) => match &given.kind {
                ExprKind::Verdict(verdict) => ElementData::Verdict(self.verdict(verdict)?),
                _ => return Err(self.fault(given.pos, "expected a verdict: accept, drop, jump CHAIN …")),
            },
            (Some(given), SetData::Object(_)) => match &given.kind {
                ExprKind::Symbol(name) | ExprKind::Text(name) | ExprKind::Number(name) => {
                    ElementData::Object(self.object_id(given.pos, name)?)
                }
                _ => return Err(self.fault(given.pos, "expected the name of an object")),
            },
            (Some(given), _) => {
                let fields = self.key(given, &types.data)?;
                let join = |pick: fn(&(Value, Value)) -> &Value| {
                    fields.iter().flat_map(|field| pick(field).clone()).collect::<Value>()
                };
                let (low, high) = (join(|(low, _)| low), join(|(_, high)| high));
                if low == high { ElementData::Value(low) } else { ElementData::Range(low, high) }
            }
        };
        let mut statements = Vec::new();
        for statement in &element.statements {
            self.statement(statement, &mut statements)?;
        }
        let comment = element.comment.clone();
        Ok(Element { key, data, timeout: element.timeout, expires: element.expires, statements, comment })
    }

    /// Fields of a key or of data.
    fn key(&self, expr: &ast::Expr, types: &[Type]) -> Result<Vec<(Value, Value)>, RuleError> {
        let parts: &[ast::Expr] = match &expr.kind {
            ExprKind::Concat(parts) => parts,
            _ => std::slice::from_ref(expr),
        };
        if parts.len() != types.len() {
            return Err(self.fault(expr.pos, format!("{} fields: expected {}", parts.len(), types.len())));
        }
        parts.iter().zip(types).map(|(part, of)| self.bounds(part, *of)).collect()
    }
}
