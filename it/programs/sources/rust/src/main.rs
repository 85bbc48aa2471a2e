//! The two ends and a relay with tokio: peer serve|lines PORT, relay PORT HOST PORT, send|talk HOST PORT [BYTES].
//! The exchange is that of peer.py.
use std::env;
use std::future::Future;
use std::io::Result;
use tokio::io::{copy_bidirectional, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: usize = 2_000_000;
const LINES: usize = 200;

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i % 251) as u8).collect()
}

fn heard(data: &[u8]) -> Vec<u8> {
    format!("{} {:x}\n", data.len(), md5::compute(data)).into_bytes()
}

async fn serve<F, T>(port: &str, each: F) -> Result<()>
where
    F: Fn(TcpStream) -> T,
    T: Future<Output = Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).await?;
    loop {
        tokio::spawn(each(listener.accept().await?.0));
    }
}

async fn exchange(mut connection: TcpStream) -> Result<()> {
    let mut question = Vec::new();
    connection.read_to_end(&mut question).await?;
    connection.write_all(&heard(&question)).await?;
    connection.write_all(&pattern(ANSWER)).await?;
    connection.shutdown().await
}

async fn conversation(connection: TcpStream) -> Result<()> {
    let (reading, mut writing) = connection.into_split();
    let mut lines = BufReader::new(reading).lines();
    while let Some(line) = lines.next_line().await? {
        writing.write_all(format!("you said {line}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn relay(mut client: TcpStream, to: String) -> Result<()> {
    let mut server = TcpStream::connect(to).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

async fn send(to: String, size: usize) -> Result<()> {
    let question = pattern(size);
    let (mut reading, mut writing) = TcpStream::connect(to).await?.into_split();
    // Both ways at once, as programs on tokio do.
    let wanted = heard(&question);
    let sending = tokio::spawn(async move {
        writing.write_all(&question).await?;
        writing.shutdown().await
    });
    let mut got = Vec::new();
    reading.read_to_end(&mut got).await?;
    sending.await.expect("the sending task")?;
    let rest = got.strip_prefix(&wanted[..]);
    let what = if rest.is_some() { "heard" } else { "not heard" };
    println!("sent {size} {what} answer {}", rest == Some(&pattern(ANSWER)[..]));
    Ok(())
}

async fn talk(to: String) -> Result<()> {
    let (reading, mut writing) = TcpStream::connect(to).await?.into_split();
    let mut lines = BufReader::new(reading).lines();
    let mut right = 0;
    for i in 0..LINES {
        writing.write_all(format!("line {i}\n").as_bytes()).await?;
        right += (lines.next_line().await? == Some(format!("you said line {i}"))) as usize;
    }
    println!("{right} answers");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", port] => serve(port, exchange).await,
        ["lines", port] => serve(port, conversation).await,
        ["relay", port, host, to] => {
            let to = format!("{host}:{to}");
            serve(port, move |client| relay(client, to.clone())).await
        }
        ["send", host, port] => send(format!("{host}:{port}"), 5_000_000).await,
        ["talk", host, port] => talk(format!("{host}:{port}")).await,
        _ => panic!("usage: see the first lines of the source"),
    }
}
