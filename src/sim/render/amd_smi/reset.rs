//! `amd-smi reset`: partition modes (24.5 and older), the driver (26.0 to 26.2). Other resets are not simulated.

use super::Response;
use super::failure::{Complaint, not_simulated, uncaught};
use super::generation::Generation;
use super::prompt;
use super::records::{self, Record};
use super::set::{Ended, Task, confirm};
use super::status::Status;

/// Answers `reset`.
pub fn run(mut task: Task<'_, '_, '_>) -> Response {
    // The end of a command is told in what was printed; nothing is left to do with the reason.
    let _ended = dispatch(&mut task);
    task.finish()
}

fn dispatch(task: &mut Task<'_, '_, '_>) -> Result<(), Ended> {
    let call = task.call;
    let named: Vec<&str> = call.options.iter().map(|(name, _)| *name).filter(|name| *name != "--loglevel").collect();
    if named.is_empty() {
        return Err(task.complain(&Complaint::Required(call.line.clone())));
    }
    let known = |name: &&str| matches!(*name, "--compute-partition" | "--memory-partition" | "--reload-driver");
    if let Some(name) = named.iter().find(|name| !known(name)) {
        not_simulated(&mut task.out, &format!("`reset {name}`"));
        return Err(Ended);
    }
    if call.has("--reload-driver") { reload(task) } else { partitions(task) }
}

/// 24.5 and older: back to the modes of the boot. A failure is N/A, and exit code 0.
fn partitions(task: &mut Task<'_, '_, '_>) -> Result<(), Ended> {
    let (compute, memory) = (task.library.kernel.machine().compute, task.library.kernel.machine().memory);
    let mut done = Vec::new();
    for &device in task.targets {
        let mut fields = Vec::new();
        if task.call.has("--compute-partition") {
            let result = task.library.set_compute(device, compute);
            fields.push(("reset_compute_partition", outcome(task, result, "compute")?));
        }
        if task.call.has("--memory-partition") {
            let result = task.library.set_memory(device, memory).map(|_| ());
            fields.push(("reset_memory_partition", outcome(task, result, "memory")?));
        }
        done.push(Record { gpu: device, fields });
    }
    let text = records::print(&done, task.call.format, task.targets.len() > 1);
    task.out.print(&text);
    Ok(())
}

fn outcome(task: &mut Task<'_, '_, '_>, result: Result<(), Status>, what: &str) -> Result<String, Ended> {
    match result {
        Ok(()) => Ok(format!("Successfully reset {what} partition")),
        Err(Status::NoPerm) => Err(task.no_permission()),
        Err(_) => Ok("N/A".to_owned()),
    }
}

/// 26.0 to 26.2: `-r`. The driver is reloaded once, for all GPUs; every device repeats how it went.
fn reload(task: &mut Task<'_, '_, '_>) -> Result<(), Ended> {
    const KEY: &str = "reload_driver";
    let mut result = Ok(());
    for (at, &device) in task.targets.iter().enumerate() {
        if !task.library.root {
            task.print(device, KEY, format!("[{}] Command requires elevation", Status::NoPerm.name()));
            // Raised by the tool itself, so nothing stands before it.
            return Err(if task.generation() == Generation::V27 {
                task.no_permission()
            } else {
                uncaught(&mut task.out, "PermissionError: Command requires elevation");
                Ended
            });
        }
        if at == 0 {
            confirm(task, prompt::driver_reload())?;
            result = task.library.kernel.reload_driver().map_err(|_| Status::RestartError);
            // The bar counts down 140 seconds; a simulated driver is there at once.
            let bar = ".".repeat(40);
            task.out.print(&format!("Reloading driver for all AMD GPUs: \n\r[{bar}] 0/140 secs remain\r\n\n"));
        }
        let sentence = match result {
            Ok(()) => "Successfully reloaded driver".to_owned(),
            Err(status) => format!("[{}] Unable to successfully restart driver", status.name()),
        };
        task.print(device, KEY, sentence);
    }
    if task.targets.len() > 1 {
        let nothing = records::print(&[], task.call.format, true);
        task.out.print(&nothing);
    }
    Ok(())
}
