//! What a server measures, without what it measured: names, helps, types and labels of its metrics, to
//! be held against a document.

use std::collections::BTreeMap;
use std::path::Path;

/// One metric: its help, its type and its series.
#[derive(Default)]
struct Family {
    about: Vec<String>,
    series: Vec<String>,
}

/// The metrics of an answer in Prometheus' text format, in that format: by name, each series once for
/// the labels that it has, whose values are `x`, and every value 0. Bounds of buckets stay.
pub fn outline(answer: &str) -> String {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut name = String::new();
    for line in answer.lines().filter(|line| !line.is_empty()) {
        if let Some(about) = line.strip_prefix("# ") {
            about
                .split(' ')
                .nth(1)
                .unwrap_or_default()
                .clone_into(&mut name);
            let family = families.entry(name.clone()).or_default();
            family.about.push(line.to_owned());
            continue;
        }
        let series = without_values(line);
        let family = families.entry(name.clone()).or_default();
        if !family.series.contains(&series) {
            family.series.push(series);
        }
    }
    let lines = families
        .into_values()
        .flat_map(|family| family.about.into_iter().chain(family.series));
    lines.map(|line| line + "\n").collect()
}

fn without_values(sample: &str) -> String {
    let Some((name, labels)) = sample.split_once('{') else {
        let name = sample.split(' ').next().unwrap_or_default();
        return format!("{name} 0");
    };
    let mut kept = Vec::new();
    let mut rest = labels;
    while let Some((label, after)) = rest.split_once("=\"") {
        // No value here holds a quote.
        let (value, after) = after.split_once('"').unwrap_or_default();
        let value = if label == "le" { value } else { "x" };
        kept.push(format!("{label}=\"{value}\""));
        rest = after.trim_start_matches(',');
    }
    format!("{name}{{{}}} 0", kept.join(","))
}

/// Holds an outline against the committed one.
///
/// # Errors
/// When they differ, with the command that mends it: what it should be is written into `folder`.
pub fn compare(current: &str, committed: &Path, folder: &Path) -> Result<(), String> {
    if std::fs::read_to_string(committed).is_ok_and(|text| text == current) {
        return Ok(());
    }
    let made = folder.join(committed.file_name().unwrap_or_default());
    let written = std::fs::write(&made, current);
    written.map_err(|error| format!("{} cannot be written: {error}", made.display()))?;
    Err(format!(
        "it is stale: cp {} {}",
        made.display(),
        committed.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_apart_by_their_labels_and_bounds_only() {
        let answer = "# HELP b Of b.\n# TYPE b histogram\n\
            b_bucket{route=\"/{a}\",le=\"1\"} 3\nb_bucket{route=\"/b\",le=\"1\"} 4\n\
            b_bucket{route=\"/b\",le=\"+Inf\"} 4\nb_sum{route=\"/b\"} 0.5\n\n\
            # HELP a Of a.\n# TYPE a gauge\na 17\n";
        let expected = "# HELP a Of a.\n# TYPE a gauge\na 0\n\
            # HELP b Of b.\n# TYPE b histogram\n\
            b_bucket{route=\"x\",le=\"1\"} 0\nb_bucket{route=\"x\",le=\"+Inf\"} 0\n\
            b_sum{route=\"x\"} 0\n";
        assert_eq!(outline(answer), expected);
    }
}
