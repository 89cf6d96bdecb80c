use super::*;
#[test]
#[ignore = "temporary"]
fn samples() {
    let dir = std::env::var("SAMPLES").unwrap();
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "py"))
        .collect();
    files.sort();
    for file in files {
        if !file.to_str().unwrap().contains(&only) {
            continue;
        }
        let source = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let (tx, rx) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .stack_size(256 << 20)
            .spawn(move || {
                let interpreter = Interpreter::without_stdlib(Default::default());
                interpreter.enter(|vm| {
                    install(vm);
                    let _ = install_functions(vm);
                    let outcome = match vm.compile(&source, compiler::Mode::Exec, "<t>") {
                        Ok(_) => format!("{:?}", {
                            let o = run(vm, &source, 20_000_000);
                            (o.elapsed, o.trip, o.value, o.usage.native_steps)
                        }),
                        Err(e) => format!("compile {e}"),
                    };
                    let _ = tx.send(outcome);
                });
                std::mem::forget(interpreter);
            })
            .unwrap();
        let started = Instant::now();
        match rx.recv_timeout(Duration::from_secs(6)) {
            Ok(outcome) => println!("SAMPLE {name} {:?} {:.170}", started.elapsed(), outcome.replace('\n', " ")),
            Err(e) => println!("SAMPLE {name} STUCK {e}"),
        }
    }
}
