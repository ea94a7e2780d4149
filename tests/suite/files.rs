//! Saving: the file stays what it is, it is always complete, and nothing else is left.

use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use monomorph::memory;
use monomorph::prelude::*;
use monomorph::weights::{load, save, to_bytes};

network! { pub Net: [64] -> [64] { Dense(64), Tanh, Dense(64) } }

fn net(value: f32) -> Box<Net> {
    let mut net = memory::boxed::<Net>();
    net.dense1.weight = [[value; 64]; 64];
    net.dense2.weight = [[value; 64]; 64];
    net
}

/// An empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).expect("a folder").count()
}

#[test]
fn links_are_followed() {
    let folder = folder("links");
    fs::create_dir(folder.join("store")).expect("a folder");
    let (link, file) = (folder.join("link"), folder.join("store/net"));
    symlink("store/other", &link).expect("a link");
    symlink("net", folder.join("store/other")).expect("a link");
    // First to a file that is not there yet, then to one that is.
    for value in [1.0, 2.0] {
        save(&link, &*net(value)).expect("saved");
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
        assert!(fs::symlink_metadata(folder.join("store/other")).expect("the link").is_symlink());
        assert!(fs::symlink_metadata(&file).expect("the file").is_file());
        let mut back = memory::boxed::<Net>();
        load(&file, &mut *back).expect("loaded");
        assert_eq!(back.dense1.weight[0][0], value);
    }
    assert_eq!((count(&folder), count(&folder.join("store"))), (2, 2));

    symlink("round", folder.join("round")).expect("a link");
    assert!(save(folder.join("round"), &*net(1.0)).is_err());
}

#[test]
fn permissions_are_kept() {
    let file = folder("permissions").join("net");
    save(&file, &*net(1.0)).expect("saved");
    for mode in [0o600, 0o664, 0o640, 0o777] {
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("permissions");
        let before = fs::metadata(&file).expect("the file");
        save(&file, &*net(2.0)).expect("saved");
        let after = fs::metadata(&file).expect("the file");
        assert_eq!(after.permissions().mode() & 0o7777, mode);
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    }

    fs::set_permissions(&file, PermissionsExt::from_mode(0o400)).expect("permissions");
    if fs::OpenOptions::new().write(true).open(&file).is_ok() {
        return println!("skipped: this user may write to any file");
    }
    let error = save(&file, &*net(3.0)).expect_err("a file that nobody may write to").to_string();
    assert!(error.contains("ermission denied"), "{error}");
}

#[test]
fn what_is_no_file_is_written_to() {
    let folder = folder("pipe");
    let (pipe, link) = (folder.join("pipe"), folder.join("link"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    symlink("pipe", &link).expect("a link");
    for path in [&pipe, &link] {
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut bytes = Vec::new();
                fs::File::open(pipe).and_then(|mut pipe| pipe.read_to_end(&mut bytes)).expect("read");
                bytes
            }
        });
        save(path, &*net(1.0)).expect("saved");
        assert!(fs::symlink_metadata(&pipe).expect("the pipe").file_type().is_fifo());
        assert_eq!(reader.join().expect("read"), to_bytes(&*net(1.0)));
    }
    assert_eq!(count(&folder), 2);

    save("/dev/null", &*net(1.0)).expect("saved");
    assert!(fs::metadata("/dev/null").expect("the device").file_type().is_char_device());
}

#[test]
fn names_may_be_as_long_as_names_can_be() {
    let folder = folder("names");
    for length in [1, 249, 250, 251, 255] {
        let file = folder.join("n".repeat(length));
        save(&file, &*net(1.0)).expect("saved");
        save(&file, &*net(2.0)).expect("saved");
        load(&file, &mut *memory::boxed::<Net>()).expect("loaded");
    }
    assert_eq!(count(&folder), 5);
    assert!(save(folder.join("n".repeat(256)), &*net(1.0)).is_err());
    assert_eq!(count(&folder), 5);
}

#[test]
fn a_file_that_was_left_is_removed() {
    let folder = folder("left");
    let (file, left) = (folder.join("net"), folder.join(".net.tmp"));
    fs::write(&left, "half of a network").expect("written");
    save(&file, &*net(1.0)).expect("saved");
    assert_eq!(count(&folder), 1);

    // Nothing is written through a link that someone put there, and no pipe is waited for.
    let other = folder.join("other");
    fs::write(&other, "of somebody else").expect("written");
    symlink("other", &left).expect("a link");
    save(&file, &*net(2.0)).expect("saved");
    assert_eq!(fs::read_to_string(&other).expect("the other file"), "of somebody else");
    fs::remove_file(&left).expect("removed");
    assert!(Command::new("mkfifo").arg(&left).status().expect("mkfifo").success());
    save(&file, &*net(3.0)).expect("saved");
    assert_eq!(count(&folder), 3);
}

/// Saves two networks in turn until it is killed; the child of the tests below.
#[test]
#[ignore = "runs until it is killed, if the environment names a file"]
fn saves_until_killed() {
    let Some(file) = env::var_os("MONOMORPH_TEST_SAVES") else { return };
    let nets = [net(1.0), net(2.0)];
    loop {
        nets.iter().for_each(|net| save(&file, &**net).expect("saved"));
    }
}

fn start_saving(file: &Path) -> std::process::Child {
    Command::new(env::current_exe().expect("the tests"))
        .args(["--exact", "files::saves_until_killed", "--ignored", "--quiet"])
        .env("MONOMORPH_TEST_SAVES", file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a child")
}

/// The file is one of the two networks, from its first to its last byte.
fn assert_whole(file: &Path) {
    let bytes = fs::read(file).expect("the file");
    assert!([1.0, 2.0].iter().any(|value| bytes == to_bytes(&*net(*value))), "{} bytes of something", bytes.len());
}

#[test]
fn killed_saves_leave_a_whole_file() {
    let folder = folder("killed");
    let file = folder.join("net");
    save(&file, &*net(1.0)).expect("saved");
    let (mut noise, mut left) = (Noise::new(1), 0);
    for _ in 0..40 {
        let before = fs::metadata(&file).expect("the file").ino();
        let mut child = start_saving(&file);
        // It has begun when the file is another one.
        while fs::metadata(&file).expect("the file").ino() == before {
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(Duration::from_micros((noise.uniform() * 5000.0) as u64));
        child.kill().and_then(|()| child.wait()).expect("killed");
        assert_whole(&file);
        assert!(count(&folder) <= 2, "one temporary file at most");
        left += count(&folder) - 1;
    }
    println!("{left} of 40 left a temporary file");
    save(&file, &*net(1.0)).expect("saved");
    assert_eq!(count(&folder), 1);
}

#[test]
fn several_may_save_at_once() {
    let folder = folder("several");
    let file = folder.join("net");
    save(&file, &*net(1.0)).expect("saved");
    let mut children = [start_saving(&file), start_saving(&file)];
    thread::scope(|scope| {
        for value in [1.0, 2.0] {
            let file = &file;
            scope.spawn(move || (0..50).for_each(|_| save(file, &*net(value)).expect("saved")));
        }
        (0..50).for_each(|_| assert_whole(&file));
    });
    for child in &mut children {
        assert!(child.try_wait().expect("a child").is_none(), "it still saves");
        child.kill().and_then(|()| child.wait()).expect("killed");
    }
    assert_whole(&file);
    save(&file, &*net(1.0)).expect("saved");
    assert_eq!(count(&folder), 1);
}
