//! A game that runs plugins of its players: each frame every plugin gets the world and answers with commands. The hero is
//! an object of the game's that plugins use directly, and a plugin's story is a task that goes on a slice a frame.
//!
//! The plugins beside this file are good, broken and hostile. The good ones go on frame after frame; the others are
//! stopped, reported with line and reason, and disabled. At the end there is a bill for each plugin.
//!
//! ```text
//! cargo run --release --ignore-rust-version --example game_host [FOLDER]
//! cargo run --release --ignore-rust-version --example game_host -- --stubs FOLDER
//! ```
//!
//! The second writes stubs of what the game gives, for the editors and type checkers of those who write plugins.

mod bill;
mod hero;
mod plugin;
mod story;
mod world;

use bill::Bill;
use hero::Hero;
use plugin::{Plugin, State};
use pycage::{Handle, MeteredAlloc};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use world::World;

/// What the memory limit of the plugins rests on.
#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

const FRAMES: u64 = 120;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == "--stubs") {
        let folder = std::env::args_os().nth(2).map_or_else(|| PathBuf::from("stubs"), PathBuf::from);
        return match write_stubs(&folder) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("game_host: {}: {error}", folder.display());
                ExitCode::FAILURE
            }
        };
    }
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/game_host/plugins"), PathBuf::from);
    let mut out = io::stdout().lock();
    match play(&folder, FRAMES, &mut out).and_then(|played| bill::print(&played, &mut out)) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that went away is no error of the game.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("game_host: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// What became of a plugin by the end of the game.
struct Played {
    name: String,
    state: State,
    bill: Bill,
}

fn write_stubs(folder: &Path) -> io::Result<()> {
    let sandbox = plugin::furnished(&World::default().hero_handle()).map_err(io::Error::other)?;
    sandbox.stubs().write_to(folder)
}

/// Plays a whole game, the story going to `out`.
fn play(folder: &Path, frames: u64, out: &mut impl Write) -> io::Result<Vec<Played>> {
    let mut world = World::default();
    let mut plugins = load_all(folder, &world.hero_handle(), out)?;
    for frame in 0..frames {
        world.begin_frame(frame);
        let view = world.view();
        for plugin in plugins.iter_mut().filter(|plugin| plugin.is_on()) {
            let ticked = plugin.tick(frame, &view);
            let told = plugin.tell(frame);
            for line in plugin.take_output().lines() {
                writeln!(out, "{frame:>4}  [{}] {line}", plugin.name())?;
            }
            if let Err(fault) = told {
                writeln!(out, "{frame:>4}  ** {}: {fault}", plugin.name())?;
            }
            match ticked {
                Ok(commands) => {
                    for command in commands {
                        if let Some(line) = world.apply(command) {
                            writeln!(out, "{frame:>4}  {line}")?;
                        }
                    }
                }
                Err(fault) => writeln!(out, "{frame:>4}  ** {}: {fault}", plugin.name())?,
            }
        }
    }
    writeln!(out, "\n{}", world.summary())?;
    Ok(plugins.into_iter().map(Plugin::into_played).collect())
}

fn load_all(folder: &Path, hero: &Handle<Hero>, out: &mut impl Write) -> io::Result<Vec<Plugin>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "py"));
    // The order of a directory is not the same on every machine, and plugins act in order.
    files.sort();
    let mut plugins = Vec::new();
    for file in files {
        let (plugin, fault) = Plugin::load(&file, hero)?;
        match fault {
            None => writeln!(out, "load  {}", plugin.name())?,
            Some(fault) => writeln!(out, "load  ** {}: {fault}", plugin.name())?,
        }
        plugins.push(plugin);
    }
    Ok(plugins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game() -> (Vec<Played>, String) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/game_host/plugins");
        let mut story = Vec::new();
        let played = play(&folder, FRAMES, &mut story).unwrap();
        (played, String::from_utf8(story).unwrap())
    }

    fn state<'a>(played: &'a [Played], name: &str) -> &'a State {
        &played.iter().find(|played| played.name == name).unwrap().state
    }

    #[test]
    fn the_good_go_on_and_the_others_are_stopped() {
        let (played, story) = game();
        for good in
            ["enemy_ai", "loot_table", "wave_spawner", "chat_commands", "quest_bounty", "healer", "village_story"]
        {
            let played = played.iter().find(|played| played.name == good).unwrap();
            assert_eq!(played.state, State::On, "{good}\n{story}");
            // Its top level, and a tick for each frame.
            assert_eq!(played.bill.calls, FRAMES + 1, "{good}");
            assert!(played.bill.usage.instructions > 0, "{good}");
        }
        let stopped: [(&str, State, &[&str]); 6] = [
            ("hostile_snoop", State::Refused, &["hostile_snoop.py:5:", "rejected"]),
            ("hostile_sneak", State::Disabled { frame: 2 }, &["hostile_sneak.py:6: "]),
            ("broken_weather", State::Disabled { frame: 92 }, &["broken_weather.py:17: KeyError: 'winter'"]),
            (
                "hostile_spin",
                State::Disabled { frame: 30 },
                &["hostile_spin.py:1", ": the budget for instructions ran out"],
            ),
            (
                "hostile_thief",
                State::Disabled { frame: 2 },
                &["hostile_thief.py:10: AttributeError: attribute 'gold' of 'Hero' object cannot be set"],
            ),
            ("hostile_hoard", State::Disabled { frame: 45 }, &["hostile_hoard.py:", ": the budget for memory ran out"]),
        ];
        for (name, wanted, reasons) in stopped {
            assert_eq!(*state(&played, name), wanted, "{name}\n{story}");
            let report = story.lines().find(|line| line.contains(&format!("** {name}: "))).unwrap();
            for reason in reasons {
                assert!(report.contains(reason), "{report}");
            }
        }
        for never in ["still here", "reached", "found "] {
            assert!(!story.contains(never), "a hostile plugin got through:\n{story}");
        }
    }

    #[test]
    fn the_good_play_together() {
        let (_, story) = game();
        for part in ["Wave 3", "for the bounty 'Pest control'", "@mia: ", "the hero picks up", "gold in the end"] {
            assert!(story.contains(part), "no {part:?} in\n{story}");
        }
    }

    #[test]
    fn the_heros_object_and_the_stories_are_used() {
        let (_, story) = game();
        let at = |part: &str| story.lines().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{story}"));
        assert!(story.contains("The healer gives the hero ("), "{story}");
        assert!(at("The sun rises") < at("Smoke comes"));
        assert!(at("At noon, in frame 45") < at("counted 6857 green leaves"));
        // The count took several frames, in which the game went on.
        let frame = |part: &str| story.lines().nth(at(part)).unwrap()[..4].trim().parse::<u64>().unwrap();
        assert!(frame("green leaves") > frame("At noon") + 10, "{story}");
    }

    #[test]
    fn a_second_game_is_the_same_to_the_instruction() {
        let (first, first_story) = game();
        let (second, second_story) = game();
        // Where a memory limit is met depends on what the process has allocated before: the one figure that may differ.
        let exact = |story: &str| -> Vec<String> {
            story.lines().filter(|line| !line.contains("budget for memory")).map(str::to_owned).collect()
        };
        assert_eq!(exact(&first_story), exact(&second_story));
        for (first, second) in first.iter().zip(&second).filter(|(first, _)| first.name != "hostile_hoard") {
            assert_eq!(first.bill.usage.instructions, second.bill.usage.instructions, "{}", first.name);
            assert_eq!(first.bill.usage.native_steps, second.bill.usage.native_steps, "{}", first.name);
        }
    }
}
