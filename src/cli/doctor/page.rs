//! A diagnosis for a person.

use anstyle::AnsiColor;

use crate::doctor::{Ability, Diagnosis, GpuSummary, Obstacle, Trouble, Weight};
use crate::domain::{Bytes, Provenance, Reading};
use crate::report::wrap::hanging;
use crate::report::{Paper, Style};

/// Column of what stands beside a label.
const COLUMN: usize = 11;

/// The whole page.
pub fn render(diagnosis: &Diagnosis, paper: Paper) -> String {
    let mut page = Page { text: String::new(), paper };
    let kind = match diagnosis.provenance {
        Provenance::Hardware => "this machine",
        Provenance::Simulated | Provenance::Recorded => diagnosis.host.as_str(),
    };
    let color = if diagnosis.can.query.able { AnsiColor::Green } else { AnsiColor::Red };
    let level = page.paint(color.on_default().bold(), &diagnosis.can.level());
    page.text.push_str(&format!("{kind}: {level}\n\n"));
    page.machine(diagnosis);
    page.text.push('\n');
    for (word, ability) in
        [("query", &diagnosis.can.query), ("set", &diagnosis.can.set), ("probe", &diagnosis.can.probe)]
    {
        page.ability(word, ability);
    }
    for obstacle in &diagnosis.obstacles {
        page.text.push('\n');
        page.obstacle(obstacle);
    }
    if let Some(instead) = &diagnosis.instead {
        page.text.push('\n');
        page.labelled("instead", instead);
    }
    if diagnosis.obstacles.is_empty() {
        page.text.push_str("\nnothing stands in the way\n");
    }
    page.text
}

struct Page {
    text: String,
    paper: Paper,
}

impl Page {
    fn machine(&mut self, diagnosis: &Diagnosis) {
        if diagnosis.gpus.is_empty() {
            self.labelled("GPUs", "none");
        }
        for (number, group) in grouped(&diagnosis.gpus).iter().enumerate() {
            self.labelled(if number == 0 { "GPUs" } else { "" }, &gpus(group));
        }
        let why = diagnosis.platform.why.join("; ");
        let platform = match &diagnosis.platform.platform {
            Reading::Value(platform) => platform.to_string().replace('-', " "),
            Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. } => "cannot be told".to_owned(),
        };
        self.labelled("platform", &format!("{platform}: {why}"));
        let driver = &diagnosis.driver;
        let version = driver.version.value().map_or_else(String::new, |version| format!(" {version}"));
        self.labelled("driver", &format!("amdgpu{version}, {} ({})", driver.state, driver.source));
        self.labelled("kernel", diagnosis.kernel.value().map_or("not reported", String::as_str));
        let rocm: Vec<String> = diagnosis.rocm.iter().map(|each| format!("{} ({})", each.version, each.path)).collect();
        let by_tool = || diagnosis.amd_smi.rocm.value().map(|version| format!("{version} (amd-smi version)"));
        let rocm = if rocm.is_empty() { by_tool() } else { Some(rocm.join(", ")) };
        self.labelled("ROCm", &rocm.unwrap_or_else(|| "no /opt/rocm*/.info/version".to_owned()));
        self.labelled("amd-smi", &tool(diagnosis));
        self.labelled("torch", &torch(diagnosis));
        self.labelled("in use by", &holders(diagnosis));
    }

    fn ability(&mut self, word: &str, ability: &Ability) {
        let (yes, color) = if ability.able { ("yes", AnsiColor::Green) } else { ("no", AnsiColor::Yellow) };
        let painted = self.paint(color.on_default(), yes);
        let head = format!("{}{painted}: ", self.label(word));
        self.hanging(&head, COLUMN + yes.len() + 2, &ability.why);
    }

    fn obstacle(&mut self, obstacle: &Obstacle) {
        let color = match obstacle.weight {
            Weight::Blocks => AnsiColor::Red,
            Weight::Limits => AnsiColor::Yellow,
            Weight::Note => AnsiColor::Cyan,
        };
        let word = obstacle.weight.word().to_uppercase();
        let head = format!("{}  ", self.paint(color.on_default().bold(), &word));
        self.hanging(&head, word.len() + 2, &obstacle.what);
        self.beside("next", &obstacle.next);
        // A note is explained by `validate explain`, and JSON has its source.
        if obstacle.weight != Weight::Note && !obstacle.source.is_empty() {
            self.beside("source", &obstacle.source);
        }
    }

    /// A line of an obstacle.
    fn beside(&mut self, word: &str, text: &str) {
        let head = format!("    {} ", self.paint(AnsiColor::Cyan.on_default(), &format!("{word:<6}")));
        self.hanging(&head, COLUMN, text);
    }

    fn labelled(&mut self, label: &str, text: &str) {
        let head = self.label(label);
        self.hanging(&head, COLUMN, text);
    }

    fn label(&self, label: &str) -> String {
        let width = COLUMN - 1;
        self.paint(AnsiColor::Cyan.on_default(), &format!("{label:<width$}")) + " "
    }

    fn hanging(&mut self, head: &str, indent: usize, text: &str) {
        self.text.push_str(&hanging(head, indent, text, self.paper.width));
        self.text.push('\n');
    }

    fn paint(&self, style: anstyle::Style, text: &str) -> String {
        match self.paper.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("{style}{text}{style:#}"),
        }
    }
}

/// GPUs that differ in nothing but their address, together.
fn grouped(gpus: &[GpuSummary]) -> Vec<Vec<&GpuSummary>> {
    let alike = |left: &GpuSummary, right: &GpuSummary| GpuSummary { bdf: right.bdf, ..left.clone() } == *right;
    let mut groups: Vec<Vec<&GpuSummary>> = Vec::new();
    for gpu in gpus {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| alike(first, gpu))) {
            Some(group) => group.push(gpu),
            None => groups.push(vec![gpu]),
        }
    }
    groups
}

fn gpus(group: &[&GpuSummary]) -> String {
    let Some(gpu) = group.first() else { return String::new() };
    let mut names = vec![gpu.gfx.clone().unwrap_or_else(|| "gfx unknown".to_owned())];
    names.extend(gpu.device_id.value().map(|id| format!("PCI 1002:{id:04x}")));
    names.extend(gpu.driver.value().filter(|driver| *driver != "amdgpu").map(|driver| format!("driver {driver}")));
    let mode =
        |absent: Option<String>, name: Option<&str>| name.map_or_else(|| absent.unwrap_or_default(), str::to_owned);
    let compute = mode(gpu.compute.absence(), gpu.compute.value().map(|mode| mode.name()));
    let memory = mode(gpu.memory.absence(), gpu.memory.value().map(|mode| mode.name()));
    let modes = if gpu.compute.value().is_some() || gpu.memory.value().is_some() {
        format!("{compute}/{memory}")
    } else {
        format!("modes {compute}")
    };
    let devices: usize = group.iter().map(|gpu| gpu.devices).sum();
    let expected: Option<usize> = group.iter().map(|gpu| gpu.expected_devices).sum();
    let of = expected.filter(|expected| *expected != devices).map(|expected| format!(" of {expected}"));
    let devices = format!("{devices}{} device{}", of.unwrap_or_default(), if devices == 1 { "" } else { "s" });
    let memory: Option<u64> = group.iter().map(|gpu| gpu.memory_total.map(|bytes| bytes.0)).sum();
    let memory = memory.map_or_else(String::new, |bytes| format!(", {} by KFD", Bytes(bytes)));
    let alloc = gpu.alloc_mode.value().map_or_else(String::new, |mode| format!(", {}", mode.name()));
    format!(
        "{} x {} ({}) at {}: {modes}, {devices}{memory}{alloc}",
        group.len(),
        gpu.name(),
        names.join(", "),
        addresses(group)
    )
}

fn addresses(group: &[&GpuSummary]) -> String {
    match group {
        [] => String::new(),
        [only] => only.bdf.to_string(),
        [first, second] => format!("{} and {}", first.bdf, second.bdf),
        [first, .., last] => format!("{} to {}", first.bdf, last.bdf),
    }
}

fn tool(diagnosis: &Diagnosis) -> String {
    let tool = &diagnosis.amd_smi;
    let version = tool.version.value().map(|version| {
        let library = tool.library.value().map_or_else(String::new, |library| format!(", library {library}"));
        format!("{version}{library}")
    });
    match (&tool.trouble, version) {
        (None, Some(version)) => version,
        (None, None) => "its version is not reported".to_owned(),
        (Some(trouble), version) => {
            let told = match trouble {
                Trouble::NotAsked => "not asked",
                Trouble::Missing(_) => "not there",
                Trouble::Silent(_) => "did not answer",
                Trouble::Died(_) => "died",
                Trouble::Refused(_) => "refuses",
            };
            version.map_or_else(|| told.to_owned(), |version| format!("{version}, {told}"))
        }
    }
}

fn torch(diagnosis: &Diagnosis) -> String {
    match (diagnosis.provenance, diagnosis.workers.as_slice()) {
        (Provenance::Simulated | Provenance::Recorded, _) => {
            "not looked for: nothing is computed on this host".to_owned()
        }
        (Provenance::Hardware, []) => "no worker beside validate or in PATH (validate-probe-torch)".to_owned(),
        (Provenance::Hardware, workers) => workers.join(", "),
    }
}

fn holders(diagnosis: &Diagnosis) -> String {
    match &diagnosis.holders {
        Reading::Value(holders) if holders.is_empty() => "nobody".to_owned(),
        Reading::Value(holders) => {
            let told = holders.iter().map(|holder| {
                let memory = holder.memory.map_or_else(String::new, |memory| format!(", {memory}"));
                format!("{}{memory}", holder.told())
            });
            told.collect::<Vec<_>>().join("; ")
        }
        absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
            format!("cannot be told: KFD's process list is {}", absent.absence().unwrap_or_default())
        }
    }
}
