//! The functions.

use std::{collections::HashMap, time::Duration};

use anyhow::Context as _;
use aws::{Cloud, fault};
use aws_sdk_lambda::{
    client::Waiters as _,
    primitives::Blob,
    types::{Architecture, DestinationConfig, Environment, FunctionCode, FunctionResponseType, OnFailure, Runtime},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use crate::{archive::Archives, queues::Queues};

/// Longest wait for a function.
const WAIT: Duration = Duration::from_secs(120);
/// Age at which an event that could not be delivered becomes a failure.
const OLDEST: i32 = 300;
/// Seconds that the agent's function may take.
const AGENT: i32 = 60;
/// Seconds that the other functions may take.
const OTHERS: i32 = 20;

/// Role and processor of the functions.
pub(crate) struct Shape {
    pub(crate) role: String,
    pub(crate) is_arm: bool,
}

pub(crate) async fn create(cloud: &Cloud, shape: &Shape, archives: &Archives, queues: &Queues) -> anyhow::Result<()> {
    let names = &cloud.names;
    let report = archives.of("report")?;
    create_function(cloud, shape, &names.api(), archives.of("api")?, OTHERS).await?;
    create_function(cloud, shape, &names.report(), report.clone(), OTHERS).await?;
    create_function(cloud, shape, &names.agent_report(), report, OTHERS).await?;
    create_function(cloud, shape, &names.agent(), archives.of("agent_function")?, AGENT).await?;
    // A message also brings the failures that the function can't report itself.
    send_failures(cloud, &names.report(), &queues.completions.arn).await?;
    send_failures(cloud, &names.agent_report(), &queues.inbox.arn).await?;
    wake(cloud, &names.agent(), &queues.inbox.arn).await?;
    println!(
        "functions: {}, {}, {}, {}",
        names.api(),
        names.report(),
        names.agent_report(),
        names.agent()
    );
    Ok(())
}

async fn create_function(
    cloud: &Cloud,
    shape: &Shape,
    name: &str,
    archive: Vec<u8>,
    seconds: i32,
) -> anyhow::Result<()> {
    let place = cloud.place("function", name);
    let mut environment = HashMap::from([("PREFIX".to_owned(), cloud.names.prefix.clone())]);
    if let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL") {
        // The functions of a stand-in use it too.
        environment.insert("AWS_ENDPOINT_URL".to_owned(), endpoint);
    }
    let environment = Environment::builder().set_variables(Some(environment)).build();
    let architecture = if shape.is_arm {
        Architecture::Arm64
    } else {
        Architecture::X8664
    };
    let exists = cloud
        .lambda
        .get_function_configuration()
        .function_name(name)
        .send()
        .await;
    match exists {
        Ok(deployed) => {
            let hash = BASE64_STANDARD.encode(Sha256::digest(&archive));
            if deployed.code_sha256() != Some(&hash) {
                let code = cloud
                    .lambda
                    .update_function_code()
                    .function_name(name)
                    .zip_file(Blob::new(archive));
                let code = code.architectures(architecture);
                code.send().await.map_err(|error| fault::tool_error(&place, &error))?;
            }
            ready(cloud, name).await?;
            let rest = cloud
                .lambda
                .update_function_configuration()
                .function_name(name)
                .role(&shape.role);
            let rest = rest.timeout(seconds).environment(environment);
            rest.send().await.map_err(|error| fault::tool_error(&place, &error))?;
        }
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            let created = cloud
                .lambda
                .create_function()
                .function_name(name)
                .runtime(Runtime::Providedal2023)
                .handler("bootstrap")
                .architectures(architecture)
                .role(&shape.role)
                .memory_size(256)
                .timeout(seconds)
                .environment(environment)
                .code(FunctionCode::builder().zip_file(Blob::new(archive)).build())
                .send()
                .await;
            created.map_err(|error| fault::tool_error(&place, &error))?;
        }
        Err(error) => return Err(fault::tool_error(&place, &error).into()),
    }
    ready(cloud, name).await
}

async fn ready(cloud: &Cloud, name: &str) -> anyhow::Result<()> {
    let place = cloud.place("function", name);
    let not_ready = || format!("{place} is not ready after {} s", WAIT.as_secs());
    let active = cloud
        .lambda
        .wait_until_function_active_v2()
        .function_name(name)
        .wait(WAIT)
        .await;
    active.with_context(not_ready)?;
    let updated = cloud
        .lambda
        .wait_until_function_updated_v2()
        .function_name(name)
        .wait(WAIT)
        .await;
    updated.with_context(not_ready)?;
    Ok(())
}

/// Sends the payloads of failed `Event` invocations to a queue. Without further attempts: a report that failed would fail again.
async fn send_failures(cloud: &Cloud, name: &str, queue: &str) -> anyhow::Result<()> {
    let failures = OnFailure::builder().destination(queue).build();
    let put = cloud
        .lambda
        .put_function_event_invoke_config()
        .function_name(name)
        .maximum_retry_attempts(0)
        .maximum_event_age_in_seconds(OLDEST)
        .destination_config(DestinationConfig::builder().on_failure(failures).build());
    put.send()
        .await
        .map_err(|error| fault::tool_error(&cloud.place("function", name), &error))?;
    Ok(())
}

/// Invokes a function with the messages of a queue. Of a batch, only those that it names come again.
async fn wake(cloud: &Cloud, name: &str, queue: &str) -> anyhow::Result<()> {
    if !mappings(cloud, name).await?.is_empty() {
        return Ok(());
    }
    let create = cloud
        .lambda
        .create_event_source_mapping()
        .function_name(name)
        .event_source_arn(queue)
        .batch_size(10)
        .function_response_types(FunctionResponseType::ReportBatchItemFailures);
    create
        .send()
        .await
        .map_err(|error| fault::tool_error(&cloud.place("function", name), &error))?;
    Ok(())
}

/// Ids of the mappings that invoke a function, which may not exist.
async fn mappings(cloud: &Cloud, name: &str) -> anyhow::Result<Vec<String>> {
    let listed = cloud
        .lambda
        .list_event_source_mappings()
        .function_name(name)
        .send()
        .await;
    match listed {
        Ok(listed) => {
            let mappings = listed.event_source_mappings().iter();
            Ok(mappings
                .filter_map(|mapping| mapping.uuid().map(str::to_owned))
                .collect())
        }
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(fault::tool_error(&cloud.place("function", name), &error).into()),
    }
}

pub(crate) async fn remove(cloud: &Cloud) -> anyhow::Result<()> {
    let names = &cloud.names;
    for mapping in mappings(cloud, &names.agent()).await? {
        let deleted = cloud.lambda.delete_event_source_mapping().uuid(mapping).send().await;
        deleted.map_err(|error| fault::tool_error(&cloud.place("function", &names.agent()), &error))?;
    }
    for name in [names.api(), names.report(), names.agent_report(), names.agent()] {
        let deleted = cloud.lambda.delete_function().function_name(&name).send().await;
        match deleted {
            Ok(_) => println!("removed:   function {name}"),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception()) => {}
            Err(error) => return Err(fault::tool_error(&cloud.place("function", &name), &error).into()),
        }
    }
    Ok(())
}
