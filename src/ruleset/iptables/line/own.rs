//! The options of iptables itself: commands, `-s -d -i -o -p -f`, `-m`, `-j`, `-g`, counters.

use super::{Command, Jump, Loaded, Parser};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension;
use crate::ruleset::iptables::words::Word;
use crate::ruleset::iptables::{address, names, values};
use crate::ruleset::model::Family;
use crate::ruleset::xt::{Inv, Masked};

impl<'a> Parser<'a> {
    /// Takes an option by its letter; `inline` is a value that stands in the same word.
    pub(super) fn global(
        &mut self,
        word: &'a Word,
        letter: char,
        inline: Option<Word>,
        not: Option<&Word>,
    ) -> Result<(), RuleError> {
        if let Some(not) = not.filter(|_| !"sdpiof".contains(letter)) {
            return Err(self.fault(not, format!("`!` cannot stand before `{}`", word.text)));
        }
        if let Some(value) = inline.as_ref().filter(|_| "sdpiojg".contains(letter)) {
            return Err(self.fault(value, format!("a blank is expected before `{}`", value.text)));
        }
        if "sdpiofmjgc".contains(letter) {
            self.line.spec.any = true;
        }
        match letter {
            'A' | 'D' | 'C' | 'I' | 'R' | 'L' | 'S' | 'F' | 'Z' | 'N' | 'X' | 'E' | 'P' | 'V' | 'h' => {
                self.command(word, letter, inline)
            }
            's' | 'd' => self.addresses(word, letter == 's', inline, not),
            'i' | 'o' => self.interface(word, letter == 'i', inline, not),
            'p' => self.protocol(word, inline, not),
            'f' => self.fragment(word, not),
            'm' => self.load_match(word, inline),
            'j' | 'g' => self.jump(word, letter == 'g', inline),
            'c' => self.counters(word, inline),
            't' => {
                let table = self.value(word, inline, "the name of a table")?;
                if self.line.table.replace(table).is_some() {
                    return Err(self.fault(word, "`-t` is given twice"));
                }
                Ok(())
            }
            '4' | '6' => {
                self.line.only = Some(if letter == '4' { Family::Ip } else { Family::Ip6 });
                Ok(())
            }
            'w' => {
                let _seconds = self.optional();
                self.line.aside = Some(word.clone());
                Ok(())
            }
            'n' | '0' | 'x' => {
                self.line.aside = Some(word.clone());
                Ok(())
            }
            'W' | 'M' => self.value(word, inline, "a value").map(|_| ()),
            _ => Ok(()),
        }
    }

    fn command(&mut self, word: &Word, letter: char, inline: Option<Word>) -> Result<(), RuleError> {
        const CHAIN: &str = "the name of a chain";
        let command = match letter {
            'A' => Command::Append(self.value(word, inline, CHAIN)?),
            'I' => Command::Insert(self.value(word, inline, CHAIN)?, self.optional()),
            'D' => Command::Delete(self.value(word, inline, CHAIN)?, self.optional()),
            'R' => {
                let chain = self.value(word, inline, CHAIN)?;
                Command::Replace(chain, self.value(word, None, "a chain and a rule number")?)
            }
            'P' => {
                let chain = self.value(word, inline, CHAIN)?;
                Command::Policy(chain, self.value(word, None, "a chain and ACCEPT or DROP")?)
            }
            'N' => Command::New(self.value(word, inline, CHAIN)?),
            'E' => {
                let chain = self.value(word, inline, CHAIN)?;
                Command::Rename(chain, self.value(word, None, "an old and a new name of a chain")?)
            }
            'X' => Command::Remove(inline.or_else(|| self.optional())),
            'F' => Command::Flush(inline.or_else(|| self.optional())),
            'C' => self.value(word, inline, CHAIN).map(|_| Command::Look)?,
            _ => {
                let _chain_and_number = (self.optional(), self.optional());
                Command::Look
            }
        };
        if self.line.command.replace(command).is_some() {
            return Err(
                self.fault(word, "a second command: only one of -A, -I, -D, -R, -P, -N, -X, -F, -E is possible")
            );
        }
        Ok(())
    }

    fn addresses(
        &mut self,
        word: &Word,
        source: bool,
        inline: Option<Word>,
        not: Option<&Word>,
    ) -> Result<(), RuleError> {
        let mut inverted = not.is_some();
        let value = self.value(word, inline, "an address")?;
        let value = self.inverted_value(&mut inverted, value);
        let list: Result<Vec<Masked>, String> =
            value.text.split(',').map(|one| address::network(one.trim(), self.family)).collect();
        let list = list.map_err(|message| self.fault(&value, format!("`{}`: {message}", word.text)))?;
        if inverted && list.len() > 1 {
            return Err(self.fault(&value, "`!` is not possible with more than one address"));
        }
        let slot = if source { &mut self.line.spec.sources } else { &mut self.line.spec.destinations };
        match slot.replace(Inv { not: inverted, value: list }) {
            None => Ok(()),
            Some(_) => Err(self.fault(word, format!("`{}` is given twice", word.text))),
        }
    }

    fn interface(
        &mut self,
        word: &Word,
        incoming: bool,
        inline: Option<Word>,
        not: Option<&Word>,
    ) -> Result<(), RuleError> {
        let mut inverted = not.is_some();
        let value = self.value(word, inline, "the name of an interface")?;
        let value = self.inverted_value(&mut inverted, value);
        let name = values::interface(&value.text).map_err(|message| self.fault(&value, message))?;
        let slot = if incoming { &mut self.line.spec.in_if } else { &mut self.line.spec.out_if };
        match slot.replace(Inv { not: inverted, value: name }) {
            None => Ok(()),
            Some(_) => Err(self.fault(word, format!("`{}` is given twice", word.text))),
        }
    }

    fn protocol(&mut self, word: &Word, inline: Option<Word>, not: Option<&Word>) -> Result<(), RuleError> {
        let mut inverted = not.is_some();
        let value = self.value(word, inline, "a protocol")?;
        let value = self.inverted_value(&mut inverted, value);
        let number = values::protocol(&value.text).map_err(|message| self.fault(&value, message))?;
        if inverted && number == 0 {
            return Err(self.fault(&value, "the rule would never match: no packet is of no protocol"));
        }
        let spec = &mut self.line.spec;
        if spec.protocol.replace(Inv { not: inverted, value: number }).is_some() {
            return Err(self.fault(word, "`-p` is given twice"));
        }
        let by_number = value.text.starts_with(|c: char| c.is_ascii_digit());
        spec.protocol_name = if by_number {
            names::protocol_name(number).unwrap_or_default().into()
        } else {
            value.text.to_ascii_lowercase()
        };
        Ok(())
    }

    fn fragment(&mut self, word: &Word, not: Option<&Word>) -> Result<(), RuleError> {
        if self.family == Family::Ip6 {
            return Err(self.fault(word, "`-f` is for IPv4; use `-m frag` for IPv6"));
        }
        self.line.spec.fragment = Some(Inv { not: not.is_some(), value: () });
        Ok(())
    }

    fn load_match(&mut self, word: &Word, inline: Option<Word>) -> Result<(), RuleError> {
        let name = self.value(word, inline, "the name of a match")?;
        if name.text.is_empty() || name.text.starts_with(['-', '!']) {
            return Err(self.fault(&name, format!("`{}` expects the name of a match after it", word.text)));
        }
        let extension = extension::find_match(&name.text, self.family);
        self.check_name(&name, extension.is_none())?;
        let name = Word { text: extension.map_or(name.text, |known| known.name.into()), ..name };
        let spec = &mut self.line.spec;
        self.order.push(Some(spec.matches.len()));
        spec.matches.push(Loaded { extension, name, given: Vec::new(), raw: Vec::new() });
        Ok(())
    }

    fn jump(&mut self, word: &Word, goto: bool, inline: Option<Word>) -> Result<(), RuleError> {
        let name = self.value(word, inline, "the name of a target or chain")?;
        if name.text.is_empty() || name.text.starts_with(['-', '!']) {
            return Err(self.fault(&name, format!("`{}` expects the name of a target or chain after it", word.text)));
        }
        let extension = if goto { None } else { extension::find_target(&name.text, self.family) };
        self.check_name(&name, extension.is_none() && !goto)?;
        let loaded = Loaded { extension, name, given: Vec::new(), raw: Vec::new() };
        self.order.push(None);
        match self.line.spec.target.replace(Jump { goto, loaded }) {
            None => Ok(()),
            Some(_) => Err(self.fault(word, "a second `-j` or `-g`: a rule has one target")),
        }
    }

    fn check_name(&self, name: &Word, not_found: bool) -> Result<(), RuleError> {
        if !not_found {
            return Ok(());
        }
        if name.text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\')) {
            return Err(self.fault(name, format!("`{}` is not the name of an extension or chain", name.text)));
        }
        if !extension::of_other_family(&name.text, self.family) {
            return Ok(());
        }
        let other = if self.family == Family::Ip6 { "IPv4" } else { "IPv6" };
        Err(self.fault(name, format!("`{}` is an extension for {other} only", name.text)))
    }

    fn counters(&mut self, word: &Word, inline: Option<Word>) -> Result<(), RuleError> {
        let first = self.value(word, inline, "two numbers, packets and bytes,")?;
        let (packets, bytes) = match first.text.split_once(',') {
            Some((packets, bytes)) => (packets.to_owned(), bytes.to_owned()),
            None => {
                let second = self.optional();
                let second = second.ok_or_else(|| self.fault(word, "`-c` expects two numbers, packets and bytes"))?;
                (first.text.clone(), second.text)
            }
        };
        for text in [packets, bytes] {
            values::u64(&text).map_err(|message| self.fault(&first, format!("`-c`: {message}")))?;
        }
        Ok(())
    }
}
