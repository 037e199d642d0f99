"""Those who send the same messages for comparison. Each file holds one class with

    name                 as the table shows it
    missing(job)         None, or why it cannot run here
    count(job)           e-mail: how many messages its turn is about
    run(job, count)      sends that many to job.relays and returns Turn; signed: "rsa" or "ed25519" where it can;
                         SMS and push: peer, which of job.relays

All get the same text with the same values in it (send_house: text, SMS, PUSH) and the same connections, which stay
open, TLS with the peer's certificate verified, and nothing to write to a disk but what they do by themselves.
"""
