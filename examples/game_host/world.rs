//! The game itself, which knows nothing of Python: a hero on a line, enemies, a chat, and the commands of plugins.

use crate::hero::{Hero, MAX_HP};
use pycage::{Borrowed, FromValue, Handle, IntoValue, Value};
use std::collections::BTreeMap;

const MAP_END: i64 = 100;
const MAX_ENEMIES: usize = 64;
const MAX_COUNT: i64 = 1_000;

/// What players write, by frame.
const CHAT: [(u64, &str, &str); 7] = [
    (3, "mia", "!help"),
    (12, "mia", "!roll 2d6"),
    (20, "tom", "hello all"),
    (33, "tom", "!roll 1000d6"),
    (50, "mia", "!hp"),
    (70, "tom", "!dance"),
    (110, "mia", "!bag"),
];

pub struct World {
    hero: Handle<Hero>,
    bag: BTreeMap<String, i64>,
    enemies: Vec<Enemy>,
    next_id: u64,
    /// What happened in the last frame, and what happens in this one.
    events: Vec<Value>,
    next_events: Vec<Value>,
    chat: Vec<Value>,
}

struct Enemy {
    id: u64,
    kind: Kind,
    x: i64,
    hp: i64,
}

#[derive(Clone, Copy)]
pub enum Kind {
    Goblin,
    Orc,
    Troll,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Goblin, Kind::Orc, Kind::Troll];

    fn name(self) -> &'static str {
        match self {
            Kind::Goblin => "goblin",
            Kind::Orc => "orc",
            Kind::Troll => "troll",
        }
    }

    /// Hit points and damage.
    fn strength(self) -> (i64, i64) {
        match self {
            Kind::Goblin => (8, 1),
            Kind::Orc => (14, 2),
            Kind::Troll => (30, 4),
        }
    }
}

impl Default for World {
    fn default() -> Self {
        World {
            hero: Handle::new(Hero { x: MAP_END / 2, hp: MAX_HP, gold: 0, kills: 0 }),
            bag: BTreeMap::new(),
            enemies: Vec::new(),
            next_id: 1,
            events: Vec::new(),
            next_events: Vec::new(),
            chat: Vec::new(),
        }
    }
}

impl World {
    /// The hero, for plugins.
    pub fn hero_handle(&self) -> Handle<Hero> {
        self.hero.clone()
    }

    fn hero(&self) -> Borrowed<'_, Hero> {
        self.hero.borrow().expect("scripts use the hero while they run, and none does now")
    }

    /// The hero acts, the chat comes in.
    pub fn begin_frame(&mut self, frame: u64) {
        self.hero_acts();
        self.events = std::mem::take(&mut self.next_events);
        let said = CHAT.iter().filter(|(when, _, _)| *when == frame);
        self.chat =
            said.map(|(_, from, text)| dict([("from", from.into_value()), ("text", text.into_value())])).collect();
    }

    /// What plugins see.
    pub fn view(&self) -> Value {
        let hero = self.hero();
        let hero = dict([("x", hero.x.into_value()), ("hp", hero.hp.into_value()), ("max_hp", MAX_HP.into_value())]);
        let enemies = self.enemies.iter().map(|enemy| {
            dict([
                ("id", enemy.id.into_value()),
                ("kind", enemy.kind.name().into_value()),
                ("x", enemy.x.into_value()),
                ("hp", enemy.hp.into_value()),
            ])
        });
        dict([
            ("hero", hero),
            ("enemies", Value::List(enemies.collect())),
            ("events", Value::List(self.events.clone())),
            ("chat", Value::List(self.chat.clone())),
            ("bag", self.bag.clone().into_value()),
        ])
    }

    /// Does what a plugin asks for, as far as the rules allow it. Gives a line for the story where there is one.
    pub fn apply(&mut self, command: Command) -> Option<String> {
        match command {
            Command::Say(text) => return Some(text),
            Command::Spawn(kind, x) => {
                if self.enemies.len() < MAX_ENEMIES {
                    self.enemies.push(Enemy { id: self.next_id, kind, x: x.clamp(0, MAP_END), hp: kind.strength().0 });
                    self.next_id += 1;
                }
            }
            Command::Move(id, step) => {
                if let Some(enemy) = self.enemies.iter_mut().find(|enemy| enemy.id == id) {
                    enemy.x = (enemy.x + step.clamp(-2, 2)).clamp(0, MAP_END);
                }
            }
            Command::Attack(id) => {
                let mut hero = self.hero();
                let near = |enemy: &&Enemy| enemy.id == id && (enemy.x - hero.x).abs() <= 1;
                if let Some(enemy) = self.enemies.iter().find(near) {
                    hero.hp -= enemy.kind.strength().1;
                    if hero.hp <= 0 {
                        hero.hp = MAX_HP;
                        hero.gold /= 2;
                        return Some("the hero falls, and wakes in the village with half the gold".to_owned());
                    }
                }
            }
            Command::Drop(item, count) => {
                let count = count.clamp(1, MAX_COUNT);
                *self.bag.entry(item.clone()).or_default() += count;
                self.next_events.push(dict([
                    ("type", "dropped".into_value()),
                    ("item", item.as_str().into_value()),
                    ("count", count.into_value()),
                ]));
                return Some(format!("the hero picks up {count}x {item}"));
            }
            Command::Reward(gold, reason) => {
                let gold = gold.clamp(0, MAX_COUNT);
                self.hero().gold += gold;
                return Some(format!("{gold} gold for {reason}"));
            }
        }
        None
    }

    pub fn summary(&self) -> String {
        let hero = self.hero();
        format!(
            "The hero has {} of {MAX_HP} hp, {} kills and {} gold in the end; {} enemies are left.",
            hero.hp,
            hero.kills,
            hero.gold,
            self.enemies.len()
        )
    }

    /// Goes for the nearest enemy and strikes it, or rests when there is none.
    fn hero_acts(&mut self) {
        let mut hero = self.hero.borrow().expect("scripts use the hero while they run, and none does now");
        let hero_x = hero.x;
        match self.enemies.iter_mut().min_by_key(|enemy| ((enemy.x - hero_x).abs(), enemy.id)) {
            Some(enemy) if (enemy.x - hero_x).abs() <= 2 => enemy.hp -= 4,
            Some(enemy) => hero.x += (enemy.x - hero_x).signum(),
            None => hero.hp = (hero.hp + 1).min(MAX_HP),
        }
        for dead in self.enemies.extract_if(.., |enemy| enemy.hp <= 0) {
            hero.kills += 1;
            self.next_events.push(dict([("type", "killed".into_value()), ("kind", dead.kind.name().into_value())]));
        }
    }
}

/// What a plugin asks for: a tuple of the command's name and its arguments.
pub enum Command {
    Say(String),
    Spawn(Kind, i64),
    Move(u64, i64),
    Attack(u64),
    Drop(String, i64),
    Reward(i64, String),
}

impl Command {
    /// Reads a command. What a plugin answers is input like any other: all of it may be wrong.
    pub fn parse(value: Value) -> Result<Command, String> {
        let shown = shorten(&value.to_string());
        let Value::Tuple(mut args) = value else {
            return Err(format!("a command is a tuple, not {shown}"));
        };
        if args.is_empty() {
            return Err("a command has a name".to_owned());
        }
        let name = args.remove(0);
        let args = Value::Tuple(args);
        let command = match &name {
            Value::Str(name) => match name.as_str() {
                "say" => read(args).map(|(text,): (String,)| Command::Say(shorten(&text))),
                "spawn" => read(args).and_then(|(kind, x): (String, i64)| Ok(Command::Spawn(kind_of(&kind)?, x))),
                "move" => read(args).map(|(id, step)| Command::Move(id, step)),
                "attack" => read(args).map(|(id,)| Command::Attack(id)),
                "drop" => read(args).map(|(item, count): (String, i64)| Command::Drop(shorten(&item), count)),
                "reward" => read(args).map(|(gold, why): (i64, String)| Command::Reward(gold, shorten(&why))),
                _ => Err("there is no such command".to_owned()),
            },
            _ => Err("the name is not a str".to_owned()),
        };
        command.map_err(|reason| format!("bad command {shown}: {reason}"))
    }
}

fn read<T: FromValue>(args: Value) -> Result<T, String> {
    T::from_value(args).map_err(|error| error.message)
}

fn kind_of(name: &str) -> Result<Kind, String> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("there is no enemy '{name}'"))
}

/// One line of a length that fits the screen.
fn shorten(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(120).collect()
}

fn dict<const N: usize>(items: [(&str, Value); N]) -> Value {
    Value::Dict(items.into_iter().map(|(key, value)| (key.into_value(), value)).collect())
}
