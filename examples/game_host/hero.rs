//! The hero: an object of the game's that plugins use as it is. They reach what `members` lists, and nothing else.

use pycage::{ExceptionType, HostObject, Members, Raise};

pub const MAX_HP: i64 = 60;

const POTION_PRICE: i64 = 10;
const POTION_HP: i64 = 20;

pub struct Hero {
    pub x: i64,
    pub hp: i64,
    pub gold: i64,
    /// Nothing for plugins.
    pub kills: u64,
}

impl Hero {
    fn buy_potion(&mut self) -> Result<i64, Raise> {
        if self.gold < POTION_PRICE {
            return Err(Raise::new(ExceptionType::ValueError, format!("a potion is {POTION_PRICE} gold")));
        }
        let before = self.hp;
        self.gold -= POTION_PRICE;
        self.hp = (self.hp + POTION_HP).min(MAX_HP);
        Ok(self.hp - before)
    }
}

impl HostObject for Hero {
    const NAME: &'static str = "Hero";

    fn members(members: &mut Members<Self>) {
        members.doc("The hero, whom everyone is after.");
        members
            .field("x", |hero| hero.x)
            .field("hp", |hero| hero.hp)
            .doc("Hit points left, `max_hp` at most.")
            .field("max_hp", |_| MAX_HP)
            .field("gold", |hero| hero.gold)
            .method("buy_potion", Hero::buy_potion)
            .doc("Buys a potion and drinks it. Answers how many hit points that gave; without the gold it is a ValueError.")
            .repr(|hero| format!("the hero ({} hp)", hero.hp));
    }
}
