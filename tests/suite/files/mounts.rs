//! What works on each kind of mount, what it costs, and where its budgets end.

use super::folder;
use pycage::{Budget, Error, Limit, MemoryFiles, Mount, Policy, Runner, Sandbox, Value};
use std::path::Path;
use std::time::Duration;

/// What must work wherever scripts may write, in the same way; `CPython` runs it too, in an empty folder.
const PROGRAM: &str = r#"
from pathlib import Path
out = []
def note(*values): out.append(repr(values))
def fails(f):
    try: f()
    except Exception as error: out.append(repr(error).split('(')[0])
    else: out.append('no error')
root = Path('data')
with open('data/a.txt', 'w') as f:
    note(f.write('one\ntwo\n'), f.tell(), f.writable(), f.readable(), f.closed, f.mode)
    f.writelines(['thrée\n', 'four'])
note(f.closed)
with open('data/a.txt') as f:
    note(f.read(2), f.readline(), f.tell(), list(f), f.read(), f.readline())
    note(f.seek(0), f.readlines(), f.seek(0, 2), f.read(1))
    f.seek(8)
    note(f.read(3), f.read(3), f.readline(2), f.readline(), f.readline(0))
with open('data/a.txt', 'a') as f:
    note(f.tell(), f.write('\nfive'), f.tell())
with open('data/a.txt', 'r+') as f:
    note(f.read(3), f.seek(0), f.write('ONE'), f.seek(0), f.read(5), f.truncate(4), f.seek(0), f.read())
with open('data/b.bin', 'wb') as f:
    note(f.write(bytes(range(256))), f.write(bytearray(b'xy')), f.tell())
    f.seek(300)
    f.write(b'end')
with open('data/b.bin', 'rb') as f:
    data = f.read()
    note(len(data), data[255:262], data[-5:], f.seek(-3, 2), f.read(), f.seek(10), f.seek(5, 1), f.read(2), f.readline(3), len(f.readlines()))
with open('data/c.txt', 'x') as f: f.write('c')
with open('data/c.txt', 'w+') as f: note(f.write('seen'), f.seek(0), f.read())
with open('data/crlf.txt', 'w', newline='\r\n') as f: f.write('a\nb\n')
note(open('data/crlf.txt', 'rb').read(), open('data/crlf.txt').read(), open('data/crlf.txt', newline='').read(), list(open('data/crlf.txt')), open('data/crlf.txt').read(2), open('data/crlf.txt').read(3))
with open('data/bad.txt', 'wb') as f: f.write(b'ok \xff\xc3')
note(open('data/bad.txt', errors='replace').read(), open('data/bad.txt', errors='ignore').read())
fails(lambda: open('data/bad.txt').read())
for text in ['a\u00e9\u20ac\U0001f600' * 3]:
    with open('data/wide.txt', 'w', encoding='utf-8') as f: f.write(text)
    for n in range(1, 6):
        with open('data/wide.txt', encoding='utf-8') as f:
            got = []
            while piece := f.read(n): got.append(piece)
        note(n, got)
fails(lambda: open('data/none.txt'))
fails(lambda: open('data/c.txt', 'x'))
fails(lambda: open('data/none/deep.txt', 'w'))
fails(lambda: open('data/c.txt/x', 'w'))
fails(lambda: open('data'))
fails(lambda: open('data/c.txt', 'q'))
fails(lambda: open('data/c.txt', 'rw'))
fails(lambda: open('data/c.txt', 'rbt'))
fails(lambda: open('data/c.txt', 'rb', encoding='utf-8'))
fails(lambda: open('data/c.txt', 3))
fails(lambda: open('data/c.txt').write('x'))
fails(lambda: open('data/c.txt', 'w').read())
fails(lambda: open('data/c.txt', 'w').write(b'x'))
fails(lambda: open('data/c.txt', 'wb').write('x'))
fails(lambda: f.read())
fails(lambda: open('data/a.txt').seek(1, 1))
fails(lambda: open('data/a.txt', 'rb').seek(-1))
(root / 'sub' / 'deep').mkdir(parents=True)
fails(lambda: (root / 'sub').mkdir())
(root / 'sub').mkdir(exist_ok=True)
(root / 'sub' / 'one.txt').write_text('1')
(root / 'sub' / 'two.txt').write_text('22')
(root / 'sub' / 'deep' / 'three.md').write_bytes(b'333')
note(sorted(str(p) for p in root.iterdir()))
note(sorted(p.name for p in (root / 'sub').glob('*.txt')), sorted(str(p) for p in root.rglob('*.md')), sorted(str(p) for p in root.glob('*/*e.txt')), sorted(str(p) for p in root.glob('**/t*')))
p = root / 'sub' / 'two.txt'
note(str(p), p.name, p.stem, p.suffix, str(p.parent), p.parts, p.exists(), p.is_file(), p.is_dir(), p.stat().st_size, p.read_text(), p.read_bytes())
note(str(p.with_name('x')), str(p.with_suffix('.md')), str(p.with_stem('y')), p.match('*.txt'), p.match('sub/*.md'), p == Path('data/sub/two.txt'), Path('a') < Path('b'), [str(x) for x in p.parents], str(Path('/a//b/./c/')), Path('/a').is_absolute(), str(Path('a').joinpath('b', '/c', 'd')), str(Path()), str('x' / Path('y')), Path('a.tar.gz').suffix, Path('.hidden').suffix, Path('a/b').as_posix(), len({Path('a'), Path('a/')}))
note((root / 'no').exists(), (root / 'no').is_file(), (root / 'no' / 'no').is_dir())
fails(lambda: (root / 'no').read_text())
fails(lambda: (root / 'no').unlink())
(root / 'no').unlink(missing_ok=True)
fails(lambda: (root / 'sub').rmdir())
fails(lambda: list((root / 'a.txt').iterdir()))
note(str(p.rename(root / 'moved.txt')), p.exists(), (root / 'moved.txt').read_text(), str((root / 'moved.txt').replace(root / 'c.txt')), (root / 'c.txt').read_text())
(root / 'touched').touch()
(root / 'touched').touch()
fails(lambda: (root / 'touched').touch(exist_ok=False))
for name in ['sub/one.txt', 'sub/deep/three.md']: (root / name).unlink()
(root / 'sub' / 'deep').rmdir()
(root / 'sub').rmdir()
note(sorted(p.name for p in root.iterdir()))
'\n'.join(out)
"#;

fn on(mount: Mount) -> Sandbox {
    Sandbox::builder().mount("data", mount).build().unwrap()
}

fn budget() -> Budget {
    Budget::default().timeout(Duration::from_secs(20))
}

fn fails(sandbox: &mut Sandbox, source: &str, type_name: &str, message: &str) {
    match sandbox.eval::<Value>(source) {
        Err(Error::Exception(exception)) => {
            assert_eq!(exception.type_name, type_name, "{source}: {}", exception.message);
            assert!(exception.message.contains(message), "{source}: {}", exception.message);
        }
        other => panic!("{source}: {other:?}"),
    }
}

/// What Python says to the program; `None` where there is no `python3`.
fn python() -> Option<String> {
    let folder = folder("python");
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let (body, last) = PROGRAM.trim_end().rsplit_once('\n').unwrap();
    let source = format!("{body}\nimport sys\nsys.stdout.buffer.write(({last}).encode())");
    let ended = std::process::Command::new("python3").arg("-c").arg(source).current_dir(&folder).output().ok()?;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).ok()
}

#[test]
fn the_same_program_runs_on_every_mount_in_every_ring_and_in_python() {
    let pool = crate::process::pool();
    let (here, there, empty) = (folder("mount-here"), folder("mount-there"), folder("mount-empty"));
    let sandboxes = [
        ("memory", Sandbox::builder().mount("data", Mount::memory(&MemoryFiles::new()))),
        ("folder", Sandbox::builder().mount("data", Mount::writable_folder(&here).unwrap())),
        ("overlay", Sandbox::builder().mount("data", Mount::overlay(&empty, &MemoryFiles::new()).unwrap())),
        ("worker", Sandbox::builder().pool(&pool).mount("data", Mount::writable_folder(&there).unwrap())),
    ];
    let mut told: Vec<(String, String, (u64, u64, u64))> = Vec::new();
    for (kind, builder) in sandboxes {
        let (shown, usage) = builder.build().unwrap().eval_with::<String>(PROGRAM, budget()).unwrap();
        told.push((kind.to_owned(), shown, (usage.instructions, usage.native_steps, usage.host_calls)));
    }
    for (kind, shown, bill) in &told[1..] {
        for (line, first) in shown.lines().zip(told[0].1.lines()) {
            assert_eq!(line, first, "{kind}");
        }
        assert_eq!(*bill, told[0].2, "{kind}: the bill");
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
    match python() {
        Some(expected) => {
            for (line, python) in told[0].1.lines().zip(expected.lines()) {
                // Python has classes of its own for what a file cannot do, which are OSErrors and ValueErrors at once.
                let python = match python {
                    "UnsupportedOperation" | "IsADirectoryError" | "NotADirectoryError" => "OSError",
                    other => other,
                };
                assert_eq!(line, python, "\n{}", told[0].1);
            }
            assert_eq!(told[0].1.lines().count(), expected.lines().count());
        }
        None => println!("no python3: the program was not compared with Python"),
    }
}

#[test]
fn without_a_mount_there_are_no_files() {
    let mut sandbox = Sandbox::builder().policy(Policy::data()).build().unwrap();
    fails(&mut sandbox, "open('data/a')", "NameError", "open");
    for name in ["pathlib", "_files", "io", "os"] {
        assert!(matches!(sandbox.exec(&format!("import {name}")), Err(Error::Rejected(_))), "{name}");
        assert!(Sandbox::builder().policy(Policy::minimal().grant(name)).build().is_err(), "{name}");
    }
    // With one, the module behind is still not to be imported.
    assert!(matches!(on(Mount::memory(&MemoryFiles::new())).exec("import _files"), Err(Error::Rejected(_))));
}

#[test]
fn rights_are_those_of_the_mount() {
    let base = folder("rights");
    std::fs::write(base.join("a.txt"), "a").unwrap();
    std::fs::create_dir(base.join("sub")).unwrap();
    for mount in [Mount::folder(&base).unwrap(), Mount::writable_folder(&base).unwrap().read_only()] {
        let mut sandbox = on(mount);
        assert_eq!(sandbox.eval::<String>("open('data/a.txt').read()").unwrap(), "a");
        sandbox.exec("from pathlib import Path").unwrap();
        for way in [
            "open('data/a.txt', 'w')",
            "open('data/a.txt', 'a')",
            "open('data/a.txt', 'r+')",
            "open('data/b.txt', 'x')",
            "Path('data/b').mkdir()",
            "Path('data/a.txt').unlink()",
            "Path('data/sub').rmdir()",
            "Path('data/a.txt').replace('data/c.txt')",
        ] {
            fails(&mut sandbox, way, "PermissionError", "Read-only file system");
        }
    }
    assert_eq!(std::fs::read_dir(&base).unwrap().count(), 2);
    // A script that makes a class of a file's own gets no further.
    let forged = "
f = open('data/a.txt')
class Mine(type(f)):
    _path = 'data/../x'
    _writes = True
    _appends = False
    _closed = False
    _end = 0
    _next = 0
    _ahead = b''
    _errors = 'strict'
    _newline = None
    def __init__(self): pass
Mine().write('REACHED')";
    let mut sandbox = on(Mount::folder(&base).unwrap());
    assert!(sandbox.exec(forged).is_err());
    assert!(sandbox.exec(&forged.replace("data/../x", "data/a.txt")).is_err());
    assert_eq!(std::fs::read_to_string(base.join("a.txt")).unwrap(), "a");
}

/// What a script holds of files leads to nothing of the interpreter's own.
#[test]
fn files_lead_to_nothing_else() {
    let files = MemoryFiles::new();
    files.insert("a.txt", "a\nb").unwrap();
    let mut sandbox = on(Mount::memory(&files));
    let source = "
import pathlib
from pathlib import Path
opened = open
text = open('data/a.txt')
binary = open('data/a.txt', 'rb')
path = Path('data') / 'a.txt'
stat = path.stat()
listing = Path('data').iterdir()
methods = [text.read, text.readline, text.close, path.read_text, Path.glob]
classes = [type(text), type(binary), type(path), type(stat)]
try:
    open('data/none')
except OSError as error:
    kept = error";
    sandbox.exec(source).unwrap();
    assert_eq!(sandbox.reached().unwrap(), None);
}

#[test]
fn an_overlay_leaves_the_folder_as_it_is() {
    let base = folder("overlay");
    std::fs::create_dir_all(base.join("sub/deep")).unwrap();
    for name in ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt"] {
        std::fs::write(base.join(name), name).unwrap();
    }
    let changes = MemoryFiles::new();
    let mut sandbox = on(Mount::overlay(&base, &changes).unwrap());
    let source = "
from pathlib import Path
root = Path('data')
with open('data/a.txt', 'a') as f: f.write('!')
(root / 'sub/c.txt').replace(root / 'sub/moved.txt')
(root / 'b.txt').unlink()
(root / 'sub/new.txt').write_text('new')
(root / 'sub/deep/d.txt').unlink()
(root / 'sub/deep').rmdir()
(root / 'sub/deep').mkdir()
def tree(): return sorted(str(p) + (':' + p.read_text() if p.is_file() else '') for p in root.rglob('*'))
tree()";
    let expected =
        ["data/a.txt:a.txt!", "data/sub", "data/sub/deep", "data/sub/moved.txt:sub/c.txt", "data/sub/new.txt:new"];
    assert_eq!(sandbox.eval::<Vec<String>>(source).unwrap(), expected);
    assert_eq!(changes.paths(), ["a.txt", "sub/moved.txt", "sub/new.txt"]);
    for name in ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt"] {
        assert_eq!(std::fs::read_to_string(base.join(name)).unwrap(), name);
    }
    // Another sandbox with the same changes sees them.
    assert_eq!(
        on(Mount::overlay(&base, &changes).unwrap()).eval::<String>("open('data/a.txt').read()").unwrap(),
        "a.txt!"
    );
}

#[test]
fn budgets_of_a_mount_hold() {
    let (base, other) = (folder("budgets"), folder("budgets-other"));
    std::fs::write(base.join("big.bin"), vec![7; 5000]).unwrap();
    let memory = MemoryFiles::new();
    memory.insert("big.bin", vec![7; 5000]).unwrap();
    let mounts = [
        Mount::memory(&memory),
        Mount::writable_folder(&other).unwrap(),
        Mount::overlay(&base, &MemoryFiles::new()).unwrap(),
    ];
    for mount in mounts {
        let mut sandbox = on(mount.max_bytes(1000).max_files(3));
        sandbox.exec("from pathlib import Path\nopen('data/a', 'wb').write(b'x' * 900)").unwrap();
        fails(&mut sandbox, "open('data/b', 'wb').write(b'x' * 101)", "OSError", "1000 bytes may be written here");
        fails(&mut sandbox, "open('data/b', 'r+b').truncate(200)", "OSError", "1000 bytes");
        // A hole is as long as it is.
        fails(&mut sandbox, "f = open('data/b', 'wb')\nf.seek(10**12)\nf.write(b'x')", "OSError", "1000 bytes");
        fails(&mut sandbox, "f = open('data/b', 'wb')\nf.truncate(10**15)", "OSError", "1000 bytes");
        // What is shortened and removed is given back, once.
        sandbox.exec("open('data/a', 'r+b').truncate(100)\nopen('data/b', 'wb').write(b'x' * 800)").unwrap();
        sandbox.exec("Path('data/b').unlink()\nopen('data/b', 'wb').write(b'x' * 900)").unwrap();
        fails(&mut sandbox, "open('data/b', 'ab').write(b'x')", "OSError", "1000 bytes");
        sandbox.exec("Path('data/c').mkdir()").unwrap();
        fails(&mut sandbox, "Path('data/d').mkdir()", "OSError", "3 files may be made here");
        fails(&mut sandbox, "open('data/d', 'w')", "OSError", "3 files");
        sandbox.exec("Path('data/c').rmdir()\nopen('data/d', 'w')").unwrap();
        assert!(matches!(sandbox.eval::<i64>("Path('data/a').stat().st_size"), Ok(100)));
    }
    // An overlay that would have to copy up what it has no room for does not begin.
    let mut sandbox = on(Mount::overlay(&base, &MemoryFiles::new()).unwrap().max_bytes(1000));
    fails(&mut sandbox, "open('data/big.bin', 'r+b').write(b'x')", "OSError", "1000 bytes");
    fails(
        &mut sandbox,
        "from pathlib import Path\nPath('data/big.bin').rename('data/small.bin')",
        "OSError",
        "1000 bytes",
    );
    sandbox.exec("Path('data/big.bin').unlink()").unwrap();
    fails(&mut sandbox, "open('data/new', 'wb').write(b'x' * 1001)", "OSError", "1000 bytes");
    // Clones share what is left.
    let mount = Mount::memory(&MemoryFiles::new()).max_bytes(10);
    on(mount.clone()).exec("open('data/a', 'w').write('0123456')").unwrap();
    fails(&mut on(mount), "open('data/b', 'w').write('0123456')", "OSError", "10 bytes");
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let base = folder("huge");
    std::fs::File::create(base.join("huge.bin")).unwrap().set_len(10 << 30).unwrap();
    let mut sandbox = on(Mount::folder(&base).unwrap());
    for way in ["open('data/huge.bin', 'rb').read()", "open('data/huge.bin').read()", "__import__ = 0"] {
        if way.starts_with('_') {
            continue;
        }
        let began = std::time::Instant::now();
        match sandbox.exec_with(way, budget().memory(64 << 20)) {
            Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Memory, "{way}"),
            other => panic!("{way}: {other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(2), "{way}");
    }
    // Line by line there is no line: memory again. In parts it works.
    let came = sandbox.exec_with("for line in open('data/huge.bin', 'rb'): pass", budget().memory(16 << 20));
    assert!(matches!(came, Err(Error::Budget(_))), "{came:?}");
    let part = "f = open('data/huge.bin', 'rb')\nf.seek(9 << 30)\nlen(f.read(1000))";
    assert_eq!(sandbox.eval::<i64>(part).unwrap(), 1000);
    let loops = "f = open('data/huge.bin', 'rb')\nwhile f.read(65536): pass";
    let came = sandbox.exec_with(loops, budget().instructions(200_000));
    assert!(matches!(came, Err(Error::Budget(ref stop)) if stop.limit == Limit::Instructions), "{came:?}");
}

/// A budget that is beyond all memory is refused when it is used, and does not end the process.
#[test]
fn a_budget_beyond_memory_ends_in_an_error() {
    let mut sandbox = on(Mount::memory(&MemoryFiles::new()).max_bytes(u64::MAX));
    fails(&mut sandbox, "f = open('data/a', 'wb')\nf.seek((1 << 63) - 9)\nf.write(b'x')", "OSError", "");
    fails(&mut sandbox, "open('data/a', 'wb').truncate((1 << 63) - 1)", "OSError", "");
    fails(&mut sandbox, "f = open('data/a', 'wb')\nf.seek((1 << 63) - 1)\nf.write(b'xy')", "OSError", "");
    assert_eq!(sandbox.eval::<String>("open('data/a').read()").unwrap(), "");
}

#[test]
fn what_is_read_and_written_is_charged() {
    let files = MemoryFiles::new();
    files.insert("a.bin", vec![7; 1 << 20]).unwrap();
    let mut sandbox = on(Mount::memory(&files).max_bytes(4 << 20));
    sandbox.exec("open('data/a.bin', 'rb').read(1)").unwrap();
    let steps = |sandbox: &mut Sandbox, source: &str| {
        let usage = sandbox.exec_with(source, budget()).unwrap();
        (usage.native_steps, usage.host_calls)
    };
    let (read, calls) = steps(&mut sandbox, "open('data/a.bin', 'rb').read()");
    assert!(read >= 1024 && calls >= 16, "{read} steps, {calls} calls");
    let (wrote, calls) = steps(&mut sandbox, "open('data/b.bin', 'wb').write(bytes(1 << 20))");
    assert!(wrote >= 1024 && calls >= 16, "{wrote} steps, {calls} calls");
    assert_eq!(steps(&mut sandbox, "open('data/a.bin', 'rb').read()"), (read, 19));
    let stopped = sandbox.exec_with("while True: open('data/a.bin').close()", budget().host_calls(100));
    assert!(matches!(stopped, Err(Error::Budget(ref stop)) if stop.limit == Limit::HostCalls), "{stopped:?}");
    let loops = "
try:
    while True: open('data/log', 'a').write('x')
finally:
    open('data/after', 'w').write('AFTER')";
    assert!(matches!(sandbox.exec_with(loops, budget().instructions(50_000)), Err(Error::Budget(_))));
    assert_eq!(files.read("after"), None);
}

#[test]
fn bills_are_the_same_cold_and_warm() {
    let bill = |runner: &Runner| {
        let mount = Mount::memory(&MemoryFiles::new());
        let mut sandbox = Sandbox::builder().runner(runner).mount("data", mount).build().unwrap();
        let (_, usage) = sandbox.eval_with::<Value>(PROGRAM, budget()).unwrap();
        (usage.instructions, usage.native_steps, usage.host_calls)
    };
    let (first, second) = (Runner::new().unwrap(), Runner::new().unwrap());
    let cold = bill(&first);
    assert_eq!(bill(&first), cold);
    assert_eq!(bill(&second), cold);
}

#[test]
fn a_mount_has_a_name_that_can_be_written() {
    for name in ["", ".", "..", "a/b", "a.b", "größe", "a b", "a\0"] {
        let built = Sandbox::builder().mount(name, Mount::memory(&MemoryFiles::new())).build();
        assert!(matches!(built, Err(Error::Setup(_))), "{name:?}");
    }
    let files = MemoryFiles::new();
    let twice = Sandbox::builder().mount("a", Mount::memory(&files)).mount("a", Mount::memory(&files)).build();
    assert!(matches!(twice, Err(Error::Setup(why)) if why.contains("two mounts named 'a'")));
    assert!(matches!(Mount::folder("there/is/no/such"), Err(Error::Setup(_))));
    assert!(matches!(Mount::folder(Path::new(file!())), Err(Error::Setup(_))));
    let mut two = Sandbox::builder().mount("a", Mount::memory(&files)).mount("b", Mount::memory(&MemoryFiles::new()));
    two = two.policy(Policy::plugin());
    let mut sandbox = two.build().unwrap();
    sandbox.exec("from pathlib import Path\nPath('/a/x').write_text('x')").unwrap();
    assert_eq!(sandbox.eval::<Vec<String>>("[str(p) for p in Path('/').iterdir()]").unwrap(), ["/a", "/b"]);
    fails(&mut sandbox, "Path('a/x').rename('b/x')", "PermissionError", "from one mount to another");
    fails(&mut sandbox, "Path('c').mkdir()", "FileNotFoundError", "c");
    fails(&mut sandbox, "Path('a').rmdir()", "PermissionError", "the root of a mount stays");
}
