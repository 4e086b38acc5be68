//! Runs a config file: Lua text in, every assigned key with its value and place out.
//!
//! Invariants: a config sees `include` and the methods of strings, nothing of the machine; running
//! it ends within `INSTRUCTION_LIMIT` and `MEMORY_LIMIT` (one call of a string method is a single
//! instruction).
//! Not here: what a key means (`settings.rs`), the text before Lua sees it (`text.rs`).
//!
//! A file runs with an empty table as its environment. Reads go to the table of keys behind it,
//! and since the front table stays empty, every write reaches `__newindex`, which notes the line.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::debug::HookTriggers;
use mlua::{Lua, LuaOptions, StdLib, Table, Value};

use super::assignment::{self, Assignments, Places, type_name};
use super::error::{ConfigError, Place, one_line, quote};
use super::text;
use super::trace::Trace;

/// Instructions of the Lua machine that a config may use. Ordinary configs need a few thousand;
/// this many take a fraction of a second.
const INSTRUCTION_LIMIT: u32 = 10_000_000;

/// Memory in bytes that a config may use, well above the largest file allowed.
const MEMORY_LIMIT: usize = 64 * 1024 * 1024;

/// How many files may stand between the config and the innermost `include`. Each level also
/// nests on the C stack, where Lua allows 200.
const INCLUDE_DEPTH: usize = 32;

/// Runs the config at `path` with `environment` as the source of `$NAME`.
pub(super) fn evaluate(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Assignments, ConfigError> {
    let evaluation = Evaluation {
        environment,
        open: RefCell::default(),
        places: RefCell::default(),
        trace: Rc::default(),
    };
    let path = join(Path::new("."), path);
    evaluation.run_config(&path).unwrap_or_else(|error| {
        let place = Place::new(path.to_string_lossy(), 0);
        Err(ConfigError::Lua { place, message: one_line(&error.to_string()) })
    })
}

/// A file that is being run; those that include it are still open too.
struct OpenFile {
    /// The file as messages show it.
    shown: String,
    /// Base of the includes in it.
    folder: PathBuf,
    /// The file under its one true name, to recognise it on a circle.
    identity: PathBuf,
}

struct Evaluation<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    /// The files being run, the config itself first.
    open: RefCell<Vec<OpenFile>>,
    /// Where each key got its present value.
    places: RefCell<Places>,
    trace: Rc<Trace>,
}

impl Evaluation<'_> {
    /// Sets up a Lua state and runs the whole config in it. The outer error is a failure to set
    /// up, the inner one is the config's.
    fn run_config(&self, path: &Path) -> mlua::Result<Result<Assignments, ConfigError>> {
        // The methods of strings are reachable through any string, as they are in skynet.
        let lua = Lua::new_with(StdLib::STRING, LuaOptions::default())?;
        lua.set_memory_limit(MEMORY_LIMIT)?;
        let trace = Rc::clone(&self.trace);
        let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTION_LIMIT);
        lua.set_hook(triggers, move |_, running| {
            let place = trace.place(running).unwrap_or_else(Place::unknown);
            Err(trace.raise(ConfigError::Endless { place, limit: INSTRUCTION_LIMIT }))
        })?;
        lua.scope(|scope| {
            let visible = lua.create_table()?;
            let keys = lua.create_table()?;
            let (globals, target) = (visible.clone(), keys.clone());
            let include = scope.create_function(move |lua, name: Value| {
                self.include(lua, &globals, &name).map_err(|error| self.trace.raise(error))
            })?;
            let assign = scope.create_function(move |lua, change: (Value, Value, Value)| {
                let (_, key, value) = change;
                self.note_place(lua, &key, &value).map_err(|error| self.trace.raise(error))?;
                target.raw_set(key, value)
            })?;
            let functions = lua.create_table_from([("include", include)])?;
            keys.set_metatable(Some(lua.create_table_from([("__index", functions)])?))?;
            let front = lua.create_table_from([("__index", &keys)])?;
            front.raw_set("__newindex", assign)?;
            visible.set_metatable(Some(front))?;
            match self.run_file(&lua, &visible, path, None) {
                Ok(()) => assignment::collect(&lua, &keys, self.places.take()),
                Err(error) => Ok(Err(error)),
            }
        })
    }

    /// Runs one file; `from` is the `include` that asked for it, with its argument.
    fn run_file(
        &self,
        lua: &Lua,
        visible: &Table,
        path: &Path,
        from: Option<(&Place, &[u8])>,
    ) -> Result<(), ConfigError> {
        let shown = one_line(&path.to_string_lossy());
        let bytes = text::read(path).map_err(|why| match from {
            None => ConfigError::Unreadable { place: Place::new(&shown, 0), why },
            Some((place, name)) => ConfigError::UnreadableInclude {
                place: place.clone(),
                name: quote(name),
                file: shown.clone(),
                why,
            },
        })?;
        let code = text::expand(&bytes, &shown, self.environment)?;
        self.enter(path, &shown, from)?;
        lua.load(code)
            .set_name(self.trace.chunk_name(&shown))
            .set_mode(ChunkMode::Text)
            .set_environment(visible.clone())
            .exec()
            .map_err(|error| self.cause(&error, &shown))?;
        self.open.borrow_mut().pop();
        Ok(())
    }

    /// Opens a level of `include`, unless there are too many or the file is already open.
    fn enter(
        &self,
        path: &Path,
        shown: &str,
        from: Option<(&Place, &[u8])>,
    ) -> Result<(), ConfigError> {
        // A pipe has no name of its own; it cannot be read twice either.
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut open = self.open.borrow_mut();
        if let Some((place, _)) = from {
            let place = place.clone();
            if let Some(first) = open.iter().position(|file| file.identity == identity) {
                let files = open[first..].iter().map(|file| file.shown.clone());
                let chain = files.chain([shown.to_owned()]).collect();
                return Err(ConfigError::IncludeCycle { place, chain });
            }
            if open.len() > INCLUDE_DEPTH {
                return Err(ConfigError::IncludeDepth { place, limit: INCLUDE_DEPTH });
            }
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        open.push(OpenFile { shown: shown.to_owned(), folder, identity });
        Ok(())
    }

    /// The function `include(file)`.
    fn include(&self, lua: &Lua, visible: &Table, name: &Value) -> Result<(), ConfigError> {
        let place = self.caller(lua);
        let Value::String(name) = name else {
            return Err(ConfigError::IncludeArgument { place, found: type_name(name) });
        };
        let name = name.as_bytes();
        let folder = self.open.borrow().last().map(|file| file.folder.clone()).unwrap_or_default();
        let path = join(&folder, Path::new(OsStr::from_bytes(&name)));
        self.run_file(lua, visible, &path, Some((&place, &name)))
    }

    /// Notes where a key is assigned; `nil` takes the key away.
    fn note_place(&self, lua: &Lua, key: &Value, value: &Value) -> Result<(), ConfigError> {
        let place = self.caller(lua);
        match key {
            Value::String(key) if value.is_nil() => {
                self.places.borrow_mut().remove(&*key.as_bytes());
            }
            Value::String(key) => {
                self.places.borrow_mut().insert(key.as_bytes().to_vec(), place);
            }
            _ if value.is_nil() => {}
            _ => return Err(ConfigError::KeyType { place, found: type_name(key) }),
        }
        Ok(())
    }

    /// The line of the config that called the running native function, perhaps through a method
    /// of strings.
    fn caller(&self, lua: &Lua) -> Place {
        let place = |level| lua.inspect_stack(level, |function| self.trace.place(function));
        (1..).map_while(place).flatten().next().unwrap_or_else(Place::unknown)
    }

    /// What stopped a file: the error that one of our functions raised, or Lua's own.
    fn cause(&self, error: &mlua::Error, file: &str) -> ConfigError {
        if let Some(failure) = self.trace.take_failure() {
            return failure;
        }
        let place = Place::new(file, 0);
        let mut error = error;
        while let mlua::Error::CallbackError { cause, .. } = error {
            error = cause;
        }
        match error {
            mlua::Error::MemoryError(_) => ConfigError::Memory { place, limit: MEMORY_LIMIT },
            mlua::Error::SyntaxError { message, .. } | mlua::Error::RuntimeError(message) => {
                let message =
                    one_line(message.split("\nstack traceback:").next().unwrap_or(message));
                let (place, message) = self.trace.split(&message).unwrap_or((place, message));
                ConfigError::Lua { place, message }
            }
            other => ConfigError::Lua { place, message: one_line(&other.to_string()) },
        }
    }
}

/// The file that `name` means when it is named in `folder`.
fn join(folder: &Path, name: &Path) -> PathBuf {
    folder.join(name.strip_prefix(".").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Folder, run, run_text};
    use super::*;

    #[test]
    fn the_last_assignment_counts_and_nil_takes_a_key_away() {
        assert_eq!(run_text("a = 1\na = a + 1\nb = 1\nb = nil").unwrap(), "a=2@./config:2");
    }

    #[test]
    fn a_config_sees_include_and_string_methods_and_nothing_else() {
        let shown = run_text("a = ('%d'):format(7)\nlocal t = {x = 'y'}\nb = t.x .. _ENV.a");
        assert_eq!(shown.unwrap(), "a=\"7\"@./config:1 b=\"y7\"@./config:3");
        for name in
            ["print", "os", "io", "string", "require", "load", "pcall", "setmetatable", "_G"]
        {
            assert_eq!(run_text(&format!("a = {name} == nil")).unwrap(), "a=true@./config:1");
        }
        let message = run_text("x = 1\nprint(x)").unwrap_err();
        assert_eq!(message, "config ./config:2: attempt to call a nil value (global 'print')");
    }

    #[test]
    fn include_shares_the_table_and_starts_at_the_folder_of_its_file() {
        let folder = Folder::new()
            .with("config", "a = 1\ninclude 'etc/base'\nd = b .. c")
            .with("etc/base", "b = a + 1\ninclude './more/deep'")
            .with("etc/more/deep", "\n\nc = 3\ninclude '../../top'")
            .with("top", "e = 5");
        let expected = "a=1@./config:1 b=2@./etc/base:1 c=3@./etc/more/deep:3 \
                        d=\"23\"@./config:3 e=5@./etc/more/../../top:1";
        assert_eq!(run(&folder).unwrap(), expected);
    }

    #[test]
    fn include_takes_a_path_from_the_root_and_a_file_twice() {
        let folder = Folder::new().with("etc/base", "include 'next'").with("etc/next", "b = 1");
        let text = format!("include '{0}'\ninclude '{0}'", folder.path("etc/base").display());
        assert_eq!(run(&folder.with("config", &text)).unwrap(), "b=1@./etc/next:1");
    }

    #[test]
    fn a_circle_of_includes_is_named_with_its_files() {
        let folder = Folder::new()
            .with("config", "include 'a'")
            .with("a", "x = 1\ninclude 'sub/b'")
            .with("sub/b", "include '../a'");
        let expected = "config ./sub/b:1: include goes round in a circle: \
                        ./a -> ./sub/b -> ./sub/../a";
        assert_eq!(run(&folder).unwrap_err(), expected);
        let message = run_text("include 'config'").unwrap_err();
        assert!(message.ends_with("circle: ./config -> ./config"), "{message}");
    }

    #[test]
    fn includes_nested_too_deep_are_refused() {
        let chain = (0..=INCLUDE_DEPTH).map(|i| (format!("f{i}"), format!("include 'f{}'", i + 1)));
        let folder = Folder::new().with("config", "include 'f0'");
        let folder = chain.fold(folder, |folder, (name, text)| folder.with(&name, &text));
        let message = run(&folder).unwrap_err();
        assert_eq!(message, "config ./f31:1: include is nested too deep (limit 32 files)");
    }

    #[test]
    fn an_include_that_cannot_be_read_names_the_call() {
        let message = run_text("\ninclude 'nothing'").unwrap_err();
        let expected =
            "config ./config:2: include \"nothing\": cannot read ./nothing: No such file";
        assert!(message.starts_with(expected), "{message}");
        let message = run_text("include 'a\\nb'").unwrap_err();
        assert!(message.contains("include \"a\\nb\": cannot read ./a b: "), "{message}");
        let message = run_text("\n('x'):gsub('x', include)").unwrap_err();
        assert!(message.starts_with("config ./config:2: include \"x\": cannot read"), "{message}");
        let message = run_text("include(nil)").unwrap_err();
        assert!(message.ends_with("bad argument #1 to 'include' (string expected, got nil)"));
        let message = run(&Folder::new()).unwrap_err();
        assert!(message.starts_with("config ./config: cannot read the file: No such"), "{message}");
    }

    #[test]
    fn errors_of_lua_name_the_file_they_are_in() {
        let folder = Folder::new().with("config", "include 'a'").with("a", "x = 1\ny = = 2");
        assert_eq!(run(&folder).unwrap_err(), "config ./a:2: unexpected symbol near '='");
        let folder = folder.with("a", "\n\nx = y.z");
        let expected = "config ./a:3: attempt to index a nil value (global 'y')";
        assert_eq!(run(&folder).unwrap_err(), expected);
        let message = run_text("\x1bLua").unwrap_err();
        assert!(
            message.starts_with("config ./config: attempt to load a binary chunk"),
            "{message}"
        );
    }

    #[test]
    fn a_long_file_name_is_shown_whole() {
        let name = "long/".repeat(30) + "name";
        let folder =
            Folder::new().with("config", format!("include '{name}'")).with(&name, "x = y.z");
        let message = run(&folder).unwrap_err();
        assert!(message.starts_with(&format!("config ./{name}:1: attempt to index")), "{message}");
    }

    #[test]
    fn a_config_without_end_is_stopped_at_its_line() {
        let folder =
            Folder::new().with("config", "include 'a'").with("a", "x = 1\nwhile true do end");
        let expected = "config ./a:2: stopped after 10000000 Lua instructions (endless loop?)";
        assert_eq!(run(&folder).unwrap_err(), expected);
        assert!(run_text("local function f() return f() end f()").unwrap_err().contains("stopped"));
    }

    #[test]
    fn a_config_that_wants_all_memory_is_stopped() {
        let expected = "config ./config: needs more memory than a config may use";
        let message = run_text("x = 'x' while true do x = x .. x end").unwrap_err();
        assert!(message.starts_with(expected), "{message}");
        let message = run_text("x = ('x'):rep(1 << 30)").unwrap_err();
        assert!(message.starts_with("config ./config:1: not enough memory"), "{message}");
    }
}
