//! `cargo xtask images`: makes the container images of the docker tests here, where no registry need be in reach.
//!
//! All of them come from one root file system of Debian's packages, so an engine holds it once. They keep the contracts
//! of the official images: `xtask/images` has a folder for each.

mod base;
mod engine;
mod fingerprint;
mod image;
mod store;

use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::args::Make;
use image::{IMAGES, Image, MARIADB, NATS, POSTGRES, REDIS};

pub(crate) use engine::engine;

/// Makes the images that aren't there, or are made of other things than they would be now.
pub(crate) fn ensure() -> Result<()> {
    make(Make::Missing)
}

/// Makes them all again, from the packages of today.
pub(crate) fn create() -> Result<()> {
    make(Make::Anew)
}

/// The settings by which tests take these images instead of the official ones.
pub(crate) fn environment() -> [(&'static str, String); 4] {
    [
        ("ITEST_POSTGRES_IMAGE", POSTGRES.tag()),
        ("ITEST_REDIS_IMAGE", REDIS.tag()),
        ("ITEST_MARIADB_IMAGE", MARIADB.tag()),
        ("ITEST_NATS_IMAGE", NATS.tag()),
    ]
}

fn make(which: Make) -> Result<()> {
    let started = Instant::now();
    let version = engine().map_err(|why| anyhow!("the images need a Docker engine: {why}"))?;
    println!("engine: found Docker {version}");
    let missing = look_for(which)?;
    if missing.is_empty() {
        println!("nothing to do; `cargo xtask images --fresh` makes them again, from the packages of today");
        return Ok(());
    }
    let names: Vec<String> = IMAGES
        .iter()
        .flat_map(Image::tags)
        .chain([base::TAG.to_owned()])
        .collect();
    let before = store::named(&names)?;
    match which {
        Make::Missing => base::ensure()?,
        Make::Anew => base::create()?,
    }
    for image in missing {
        let line = image.build()?;
        println!("making: {line}");
        store::said(&line)?;
    }
    store::remove_nameless(&before)?;
    let settings = environment().map(|(name, value)| format!("{name}={value}"));
    println!(
        "made in {:.1} s; for tests with them, set {}",
        started.elapsed().as_secs_f64(),
        settings.join(" ")
    );
    Ok(())
}

/// Says what is found of each, and hands back those to make.
fn look_for(which: Make) -> Result<Vec<Image>> {
    let mut missing = Vec::new();
    for image in IMAGES {
        let finding = match which {
            Make::Anew => "to be made again",
            Make::Missing if store::has(&image.tags(), image::LABEL, image.fingerprint()?)? => "there",
            Make::Missing => "missing, or made of other things",
        };
        println!("image: {} … {finding}", image.tag());
        if finding != "there" {
            missing.push(image);
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_name_images_that_are_made() {
        let made: Vec<String> = IMAGES.iter().flat_map(Image::tags).collect();
        for (name, value) in environment() {
            assert!(made.contains(&value), "{name}={value}");
        }
    }
}
