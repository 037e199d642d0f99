"""Those who send the same messages for comparison. Each file holds one class with

    name                 as the table shows it
    count(job)           how many messages its turn is about
    missing(job)         None, or why it cannot run here
    run(job, count)      sends that many to job.sink and returns Turn; signed: "rsa" or "ed25519" where it can

All get the same text of 2 KB with five values in it (send_house.text), CONNECTIONS connections that stay open, TLS with
the sink's certificate verified, and nothing to write to a disk but what they do by themselves.
"""
