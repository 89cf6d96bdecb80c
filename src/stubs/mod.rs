//! Editor stubs: what the scripts of a sandbox may use, for type checkers and editors.
//!
//! * [`typeshed`]: what they are told of Python itself.
//! * [`given`]: what the host has given.
//! * [`classes`], [`signature`], [`hint`]: how host objects, functions and types are written.

pub(crate) mod classes;
pub(crate) mod given;
pub(crate) mod hint;
pub(crate) mod python;
pub(crate) mod signature;
mod typeshed;

use crate::host::object::{HostObject, new_class};
use crate::modules;
use crate::sandbox::{Config, Sandbox};
use classes::Classes;
use given::Given;
use hint::TypeHint;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names that the stubs of host objects and functions are written with. No class of the host's is called so.
const WRITTEN_WITH: [&str; 8] = ["Any", "Awaitable", "Callable", "ClassVar", "Final", "Iterator", "Never", "Self"];

/// The stubs of a sandbox, see [`Sandbox::stubs`].
///
/// ```
/// let sandbox = pycage::Sandbox::new()?;
/// let files = sandbox.stubs().files();
/// assert!(files.contains_key("mypy.ini") && files.contains_key("typeshed/stdlib/builtins.pyi"));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "write them with `write_to`"]
pub struct Stubs {
    config: Arc<Config>,
    given: Given,
    objects: Vec<TypeHint>,
    sources: Vec<PathBuf>,
}

impl Sandbox {
    /// Editor stubs: `.pyi` files of all that the scripts of this sandbox may use. That is its builtins, the modules that
    /// are granted or provided, `open` and `pathlib` where files are mounted, and what the host has given it so far:
    /// functions with their types, values and host objects, each with its [documentation](Sandbox::doc).
    ///
    /// They stand in the place of a type checker's own knowledge of Python, so that to it there is no `eval` and no `os`
    /// either. `mypy --config-file DIR/mypy.ini plugin.py` and pyright with `DIR/pyrightconfig.json` use them. A script
    /// can write the names of host objects' types in annotations, which are never evaluated.
    ///
    /// What a checker accepts is not what pycage accepts: the rules on names and special methods are for `pycage check`
    /// and [`Sandbox::compile`] to tell, and checkers insist on some names that scripts do not have (`BaseException`, an
    /// empty module `sys`, and what is said to be for the checker alone in the files).
    ///
    /// ```
    /// use pycage::{Handle, HostObject, Members, Policy, Sandbox};
    ///
    /// struct Hero { hp: i64 }
    ///
    /// impl HostObject for Hero {
    ///     const NAME: &'static str = "Hero";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.field("hp", |hero| hero.hp).doc("Hit points left.");
    ///     }
    /// }
    ///
    /// let mut sandbox = Sandbox::builder().policy(Policy::minimal().grant("math")).build()?;
    /// sandbox.set("hero", Handle::new(Hero { hp: 9 }))?;
    /// sandbox.function_named("say", ["text", "loud"], |text: &str, loud: Option<bool>| -> Result<(), String> {
    ///     let _ = (text, loud);
    ///     Ok(())
    /// })?;
    /// sandbox.doc("say", "Has the hero say something.");
    /// let files = sandbox.stubs().files();
    /// let builtins = &files["typeshed/stdlib/builtins.pyi"];
    /// assert!(builtins.contains("hero: Hero\n"));
    /// assert!(builtins.contains("def say(text: str, loud: bool | None = None) -> None:\n    \"\"\"Has the hero say something.\"\"\""));
    /// assert!(files.contains_key("typeshed/stdlib/math.pyi") && !files.contains_key("typeshed/stdlib/json.pyi"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn stubs(&self) -> Stubs {
        let (config, given) = (self.config().clone(), self.given().clone());
        Stubs { config, given, objects: Vec::new(), sources: Vec::new() }
    }

    /// Documents a global that the host gives, for [`Sandbox::stubs`].
    ///
    /// ```
    /// let mut sandbox = pycage::Sandbox::new()?;
    /// sandbox.set("gold", 7)?;
    /// sandbox.doc("gold", "What is left in the chest.");
    /// let files = sandbox.stubs().files();
    /// assert!(files["typeshed/stdlib/builtins.pyi"].ends_with("gold: int\n\"\"\"What is left in the chest.\"\"\"\n"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn doc(&mut self, name: &str, doc: impl Into<Cow<'static, str>>) {
        self.given_mut().document(name, doc.into());
    }
}

impl Stubs {
    /// Adds a type of host objects that nothing given so far speaks of: objects that are lent, or passed in calls.
    ///
    /// ```
    /// use pycage::{HostObject, Members, Sandbox};
    ///
    /// struct World<'a>(&'a [i64]);
    ///
    /// impl HostObject for World<'_> {
    ///     const NAME: &'static str = "World";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.len(|world| world.0.len());
    ///     }
    /// }
    ///
    /// let files = Sandbox::new()?.stubs().object::<World>().files();
    /// assert!(files["typeshed/stdlib/builtins.pyi"].contains("class World:"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn object<T: HostObject>(mut self) -> Self {
        self.objects.push(TypeHint::object(new_class::<T>().table));
        self
    }

    /// Has the checkers look here for the modules that a [`Resolver`](crate::Resolver) finds.
    ///
    /// ```
    /// let files = pycage::Sandbox::new()?.stubs().source_folder("/plugins/orc").files();
    /// assert!(files["mypy.ini"].contains("mypy_path = /plugins/orc"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn source_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.sources.push(folder.into());
        self
    }

    /// The files, by their paths below the folder of the stubs.
    ///
    /// ```
    /// let files = pycage::Sandbox::new()?.stubs().files();
    /// assert!(!files["typeshed/stdlib/builtins.pyi"].contains("def eval("));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut files: BTreeMap<String, String> =
            self.typeshed().into_iter().map(|(path, text)| (format!("{STDLIB}/{path}"), text)).collect();
        files.insert(format!("{STDLIB}/VERSIONS"), versions(files.keys()));
        // mypy looks for it, and for nothing in it.
        let extensions = "# For the checker alone: no script can import this.\n".to_owned();
        files.insert("typeshed/stubs/mypy-extensions/mypy_extensions.pyi".to_owned(), extensions);
        files.insert("mypy.ini".to_owned(), self.mypy());
        files.insert("pyrightconfig.json".to_owned(), self.pyright());
        files
    }

    /// Writes the files into a folder, which is made. Stubs of an earlier time that are no more are removed from it.
    ///
    /// # Errors
    /// What the file system answers.
    ///
    /// ```
    /// let folder = std::env::temp_dir().join(format!("pycage-stubs-{}", std::process::id()));
    /// pycage::Sandbox::new()?.stubs().write_to(&folder)?;
    /// assert!(folder.join("mypy.ini").exists());
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_to(&self, folder: impl AsRef<Path>) -> io::Result<()> {
        let folder = folder.as_ref();
        let files = self.files();
        for (path, text) in &files {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, text)?;
        }
        // A module that is no longer granted would go on being known.
        for entry in std::fs::read_dir(folder.join(STDLIB))? {
            let name = entry?.file_name();
            let Some(name) = name.to_str().filter(|name| name.ends_with(".pyi")) else { continue };
            let path = format!("{STDLIB}/{name}");
            if !files.contains_key(&path) {
                std::fs::remove_file(folder.join(path))?;
            }
        }
        Ok(())
    }

    fn typeshed(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for path in typeshed::CHECKERS_MODULES {
            files.insert(path.to_owned(), "# For the checker alone: no script can import this.\n".to_owned());
        }
        for (path, text) in typeshed::ALWAYS {
            files.insert(path.to_owned(), text.to_owned());
        }
        let with_files = self.config.provided.files.is_some();
        let granted = self.config.policy.modules().filter_map(modules::find);
        for module in modules::FOR_FILES.iter().filter(|_| with_files).chain(granted) {
            files.insert(typeshed::path_of(module.name), module.stub.to_owned());
        }

        let mut builtins = files.remove("builtins.pyi").unwrap_or_default();
        if with_files {
            builtins.push_str(typeshed::OPEN);
        }
        // A script finds what the host gives before the builtin of that name.
        for name in self.given.names() {
            builtins = python::without_function(&builtins, name);
        }
        let mut classes = Classes::default();
        classes.take(WRITTEN_WITH.map(str::to_owned));
        classes.take(self.given.names().cloned());
        classes.take(builtins.lines().filter_map(defined).map(str::to_owned));
        for object in &self.objects {
            object.write(&mut classes);
        }
        let globals = self.given.write(&mut classes);
        for module in &self.config.provided.modules {
            let text = module.stub(&mut classes);
            // Where the checkers want a module of that name, it is both.
            files.entry(typeshed::path_of(&module.name)).or_default().push_str(&text);
        }
        let objects = classes.write();
        if !objects.is_empty() {
            builtins.push_str("\n# Objects of the host. Their types are known in annotations alone.\n");
            builtins.push_str(&objects);
        }
        if !globals.is_empty() {
            builtins.push_str("\n# What the host gives.\n\n");
            builtins.push_str(&globals);
        }
        files.insert("builtins.pyi".to_owned(), builtins);
        files
    }

    fn mypy(&self) -> String {
        let mut text = "\
# mypy --config-file=THIS plugin.py
[mypy]
custom_typeshed_dir = $MYPY_CONFIG_FILE_DIR/typeshed
no_site_packages = True
check_untyped_defs = True
"
        .to_owned();
        if !self.sources.is_empty() {
            let folders: Vec<String> = self.sources.iter().map(|folder| folder.display().to_string()).collect();
            text.push_str(&format!("mypy_path = {}\n", folders.join(":")));
        }
        text
    }

    fn pyright(&self) -> String {
        let folders: Vec<String> = self.sources.iter().map(|folder| json_text(&folder.display().to_string())).collect();
        format!(
            "{{\n  \"typeshedPath\": \"typeshed\",\n  \"exclude\": [\"typeshed\"],\n  \"extraPaths\": [{}]\n}}\n",
            folders.join(", ")
        )
    }
}

impl fmt::Debug for Stubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files().keys()).finish()
    }
}

const STDLIB: &str = "typeshed/stdlib";

/// The list of modules that checkers look into, with the versions of Python that have them.
fn versions<'a>(paths: impl Iterator<Item = &'a String>) -> String {
    let modules = paths.filter_map(|path| path.strip_prefix(STDLIB)?.strip_prefix('/')?.strip_suffix(".pyi"));
    let mut names: Vec<String> = modules.map(|path| path.trim_end_matches("/__init__").replace('/', ".")).collect();
    names.sort();
    names.iter().map(|name| format!("{name}: 3.0-\n")).collect()
}

/// The name that a line at the top level of a stub defines.
fn defined(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("class ").or_else(|| line.strip_prefix("def ")).unwrap_or(line);
    let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_')?;
    let (name, after) = rest.split_at(end);
    let defines = rest.len() < line.len() || after.starts_with(':') || after.starts_with(" =");
    (defines && !name.is_empty()).then_some(name)
}

fn json_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}
